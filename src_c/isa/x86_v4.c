#define FASTNN_ISA_NAME "x86_v4"
#define FASTNN_ISA_TABLE fastnn_kernels_x86_v4
#include "../kernels.h"
