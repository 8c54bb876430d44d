/* SPDX-License-Identifier: MIT */
#include "core/run/hooks.h"

const char *lr__hook_name(lr__hook hook)
{
#define HOOK_NAME(name, text)                                                                      \
    case LR__HOOK_##name:                                                                          \
        return text;
    switch (hook) {
        LR__HOOKS(HOOK_NAME)
    case LR__HOOK_COUNT:
        break;
    }
#undef HOOK_NAME
    LR_UNREACHABLE();
}
