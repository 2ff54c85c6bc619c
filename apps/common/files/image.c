/* SPDX-License-Identifier: Apache-2.0 */
/* image.c - arrays as sections. */
#include "files/image.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "an image is little endian");

typedef struct {
    uint64_t row_bytes, n, n_max;
} array_head;

r1_status r1_image_put_array(r1_image_out *out, const r1_image_array *a, uint32_t version,
                             r1_err *err)
{
    const array_head h = {a->row_bytes, a->n, a->n_max};
    R1_TRY(out->section(out, a->name, version, err));
    R1_TRY(out->put(out, &h, sizeof h, err));
    return a->n ? out->put(out, a->data, a->n * a->row_bytes, err) : R1_OK;
}

r1_status r1_image_get_array(r1_image_in *in, r1_image_array *a, uint32_t version, r1_err *err)
{
    array_head h;
    R1_TRY(in->section(in, a->name, version, err));
    R1_TRY(in->get(in, &h, sizeof h, err));
    if (h.row_bytes != a->row_bytes || h.n_max != a->n_max)
        R1_FAIL(err, R1_E_FORMAT,
                "%s: expected room for %llu rows of %zu bytes, found room for %llu of %llu",
                a->name, (unsigned long long)a->n_max, a->row_bytes, (unsigned long long)h.n_max,
                (unsigned long long)h.row_bytes);
    if (h.n > h.n_max || in->left != h.n * h.row_bytes)
        R1_FAIL(err, R1_E_FORMAT, "%s: expected %llu rows of %llu bytes, found %llu bytes", a->name,
                (unsigned long long)h.n, (unsigned long long)h.row_bytes,
                (unsigned long long)in->left);
    a->n = h.n;
    return h.n ? in->get(in, a->data, (size_t)(h.n * h.row_bytes), err) : R1_OK;
}
