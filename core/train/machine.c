/* SPDX-License-Identifier: Apache-2.0 */
#include "train/machine.h"

r1_status r1_machine_new(r1_exec **e, r1_pack **pack, const r1_model *m, uint32_t n, r1_err *err)
{
    uint32_t cap[R1_SYMBOLS_MAX];
    const r1_backend *be = r1_backend_find(NULL, err);
    if (!be || !be->host_memory || !be->backward[R1_OP_LINEAR]) be = r1_backend_cpu();
    r1_pack_capacity(m, n, cap);
    cap[R1_SYM_ENTRY] = cap[R1_SYM_EVENT]; /* nothing is gathered, nothing cached */
    for (uint32_t i = 0; i < m->desc->n_item; i++)
        if (m->desc->item[i].kind == R1_ITEM_TEXT) cap[m->net.item[i].sym_row] = n;
    R1_TRY(r1_exec_new(e, m, be, cap, true, err));
    return r1_pack_new(pack, *e, 0, err);
}

r1_status r1_machine_forward(r1_exec *e, r1_err *err)
{
    for (uint8_t phase = 0; phase < 3; phase++) R1_TRY(r1_exec_forward(e, phase, err));
    return R1_OK;
}
