/* SPDX-License-Identifier: MIT */
#include "core/run/object.h"

#include "core/base/check.h"

void lr__objects_init(lr_worker *w)
{
    lr__slab_init(&w->objects, LR__OBJECT_SIZE, LR__SLAB_SLOT_MAX - LR__OBJECT_SLOT_FIRST);
}

void *lr__object_take(lr_worker *w, uint64_t *live)
{
    uint32_t slot, generation;
    lr__object *object = lr__slab_take(&w->objects, &slot, &generation);

    if (!object)
        return NULL;
    object->worker = w;
    object->slot = slot;
    object->live = live;
    (*live)++;
    object->id = lr__id_make(LR__OBJECT_SLOT_FIRST + slot, generation);
    return object;
}

void lr__object_give(lr__object *object)
{
    (*object->live)--;
    lr__slab_give(&object->worker->objects, object->slot);
}

void lr__object_dispatch(lr_worker *w, const lr__completion *completion)
{
    lr__object *object =
        lr__slab_find(&w->objects, lr__id_slot(completion->id) - LR__OBJECT_SLOT_FIRST,
                      lr__id_generation(completion->id));

    LR_CHECK(object != NULL); /* its slot is not given back before its last completion */
    object->on_completion(object, completion);
}

void lr__objects_close(lr_worker *w)
{
    for (uint32_t slot = 0; slot < lr__slab_slot_end(&w->objects); slot++) {
        lr__object *object = lr__slab_at(&w->objects, slot);

        if (object && !object->closed)
            object->close(object);
    }
}
