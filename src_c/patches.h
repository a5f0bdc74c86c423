/* im2col and col2im in any order of the dimensions, and the transposition between channels-first and channels-last.
 *
 * Both describe their arrays by strides (in elements), so one loop serves every layout that people use.
 */
#ifndef FASTNN_PATCHES_ONCE
#define FASTNN_PATCHES_ONCE
enum { PATCH_OY, PATCH_OX, PATCH_KY, PATCH_KX, PATCH_C, PATCH_DIMS };

/* How the dimensions of the patches of one image are walked, outermost first. */
typedef struct {
    size_t length[PATCH_DIMS];
    ptrdiff_t column[PATCH_DIMS], pixel[PATCH_DIMS]; /* steps in the columns and in the image */
    ptrdiff_t y[PATCH_DIMS], x[PATCH_DIMS];          /* steps of the input position */
    ptrdiff_t height, width;
} patch_walk;

static patch_walk patch_plan(const fastnn_patches *p) {
    const fastnn_axis *y = &p->window.y, *x = &p->window.x;
    const size_t length[] = {y->output, x->output, y->kernel, x->kernel, p->window.channels};
    const ptrdiff_t step_y[] = {(ptrdiff_t)y->stride, 0, (ptrdiff_t)y->dilation, 0, 0};
    const ptrdiff_t step_x[] = {0, (ptrdiff_t)x->stride, 0, (ptrdiff_t)x->dilation, 0};
    patch_walk walk = {.height = (ptrdiff_t)y->input, .width = (ptrdiff_t)x->input};
    int order[PATCH_DIMS] = {0, 1, 2, 3, 4};
    for (int i = 1; i < PATCH_DIMS; i++) /* the smallest column stride becomes the innermost loop */
        for (int j = i; j > 0 && p->column[order[j]] > p->column[order[j - 1]]; j--) {
            const int swapped = order[j];
            order[j] = order[j - 1];
            order[j - 1] = swapped;
        }
    for (int i = 0; i < PATCH_DIMS; i++) {
        const int d = order[i];
        walk.length[i] = length[d];
        walk.column[i] = p->column[d];
        walk.y[i] = step_y[d];
        walk.x[i] = step_x[d];
        walk.pixel[i] = step_y[d] * p->pixel[0] + step_x[d] * p->pixel[1] + (d == PATCH_C ? p->pixel[2] : 0);
    }
    return walk;
}

/* Steps i in [*low, *high) of the innermost loop for which 0 <= position + i * step < size. */
INLINE void patch_inside(ptrdiff_t position, ptrdiff_t step, ptrdiff_t size, ptrdiff_t *low, ptrdiff_t *high) {
    if (step == 0) {
        if (position < 0 || position >= size) *high = *low;
        return;
    }
    const ptrdiff_t first = position < 0 ? (-position + step - 1) / step : 0;
    const ptrdiff_t last = position < size ? (size - position + step - 1) / step : 0;
    if (first > *low) *low = first;
    if (last < *high) *high = last;
    if (*high < *low) *high = *low;
}
#endif

/* One image from dimension d on: columns = patches (0 outside of the image), or image += columns. */
static void FN(patch_copy)(const patch_walk *walk, int d, int back, real *image, real *columns, ptrdiff_t y,
                           ptrdiff_t x) {
    const ptrdiff_t length = (ptrdiff_t)walk->length[d], column = walk->column[d], pixel = walk->pixel[d];
    if (d < PATCH_DIMS - 1) {
        for (ptrdiff_t i = 0; i < length; i++)
            FN(patch_copy)(walk, d + 1, back, image + i * pixel, columns + i * column, y + i * walk->y[d],
                           x + i * walk->x[d]);
        return;
    }
    ptrdiff_t low = 0, high = length;
    patch_inside(y, walk->y[d], walk->height, &low, &high);
    patch_inside(x, walk->x[d], walk->width, &low, &high);
    if (back) {
        for (ptrdiff_t i = low; i < high; i++) image[i * pixel] += columns[i * column];
        return;
    }
    for (ptrdiff_t i = 0; i < low; i++) columns[i * column] = K(0);
    if (column == 1 && pixel == 1)
        for (ptrdiff_t i = low; i < high; i++) columns[i] = image[i];
    else
        for (ptrdiff_t i = low; i < high; i++) columns[i * column] = image[i * pixel];
    for (ptrdiff_t i = high; i < length; i++) columns[i * column] = K(0);
}

static void FN(im2col)(const fastnn_patches *p, size_t n, const void *x, void *columns) {
    const patch_walk walk = patch_plan(p);
    const ptrdiff_t top = -p->window.y.pad, left = -p->window.x.pad;
    real *image = (real *)x + (ptrdiff_t)n * p->image, *out = (real *)columns + (ptrdiff_t)n * p->column_image;
    FN(patch_copy)(&walk, 0, 0, image + top * p->pixel[0] + left * p->pixel[1], out, top, left);
}

/* x, contiguous within an image, = sums of the columns that came from each element */
static void FN(col2im)(const fastnn_patches *p, size_t n, const void *columns, void *x) {
    const patch_walk walk = patch_plan(p);
    const ptrdiff_t top = -p->window.y.pad, left = -p->window.x.pad;
    real *image = (real *)x + (ptrdiff_t)n * p->image, *from = (real *)columns + (ptrdiff_t)n * p->column_image;
    __builtin_memset(image, 0, p->window.y.input * p->window.x.input * p->window.channels * sizeof(real));
    FN(patch_copy)(&walk, 0, 1, image + top * p->pixel[0] + left * p->pixel[1], from, top, left);
}

/* y (cols, rows) = x (rows, cols), a square at a time */
static void FN(transpose)(size_t rows, size_t cols, const void *xv, void *yv) {
    const real *x = xv;
    real *y = yv;
    for (size_t r = 0; r < rows; r += 16)
        for (size_t c = 0; c < cols; c += 16) {
            const size_t last_r = FN(min_size)(r + 16, rows), last_c = FN(min_size)(c + 16, cols);
            for (size_t j = c; j < last_c; j++)
                for (size_t i = r; i < last_r; i++) y[j * rows + i] = x[i * cols + j];
        }
}
