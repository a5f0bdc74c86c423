#define FASTNN_ISA_NAME "baseline"
#define FASTNN_ISA_TABLE fastnn_kernels_baseline
#include "../kernels.h"
