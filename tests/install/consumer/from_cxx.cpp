/* SPDX-License-Identifier: MIT */
/* The public headers are C++ too: makes a context and compares the versions. */
#include <lockring/lockring.h>
#include <lockring/version.h>

#include <cstdio>
#include <cstring>

int main()
{
    lr_context_options options = {};
    lr_context *context = nullptr;
    lr_error err = {};

    options.size = sizeof(options);
    options.self_signed = "localhost";
    if (lr_context_new(&options, &context, &err) != LR_OK) {
        std::fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    lr_context_release(context);
    return std::strcmp(lr_version(), LR_VERSION) == 0 ? 0 : 1;
}
