#define FASTNN_ISA_NAME "x86_v3"
#define FASTNN_ISA_TABLE fastnn_kernels_x86_v3
#include "../kernels.h"
