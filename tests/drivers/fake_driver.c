// A Vulkan driver that does what its file's name says, for tests:
//
//   libfake-WHERE-WHAT.so    e.g. libfake-vkCreateInstance-segv.so
//
// WHERE it happens: `load`, `negotiate`, `unload`, the name of a Vulkan
// function, or `never`. WHAT happens: see `act`. In everything else it is the
// driver whose library FAKE_DRIVER_BEHIND names, if that is set.
//
// It also serves as a layer and as an EGL driver, of which only `load` is used.
// Where FAKE_DRIVER_MARK names a file, it is made when the library is loaded.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef void (*function)(void);

static char where[64], what[64];
static void *behind;

static int recurse(volatile int depth) {
    volatile char page[4096];
    page[0] = (char)depth;
    return recurse(depth + 1) + page[0];
}

static int act(void) {
    if (!strcmp(what, "segv")) {
        *(volatile int *)8 = 0;
    } else if (!strcmp(what, "abort")) {
        abort();
    } else if (!strcmp(what, "ill")) {
        __builtin_trap();
    } else if (!strcmp(what, "kill")) {
        kill(getpid(), SIGKILL);
    } else if (!strcmp(what, "overflow")) {
        recurse(0);
    } else if (!strcmp(what, "exit0")) {
        exit(0);
    } else if (!strcmp(what, "_exit0")) {
        _exit(0);
    } else if (!strcmp(what, "_exit3")) {
        _exit(3);
    } else if (!strcmp(what, "hang")) {
        for (;;) pause();
    } else if (!strcmp(what, "spin")) {
        for (volatile int k = 0;; k++) {}
    } else if (!strcmp(what, "deafhang")) {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
        for (;;) pause();
    } else if (!strcmp(what, "forkhang")) {
        fork();
        for (;;) pause();
    } else if (!strcmp(what, "forksegv")) {
        if (fork() == 0) for (;;) pause();
        *(volatile int *)8 = 0;
    } else if (!strcmp(what, "flood")) {
        for (;;) puts("\x1e noise \x1f");
    } else if (!strcmp(what, "print")) {
        printf("\x1e\"Close\"\x1f noise \x1e without an end");
        fflush(stdout);
    } else if (!strcmp(what, "chatter")) {
        fprintf(stderr, "fake driver: something is \x1b[31mwrong\n");
        _exit(7);
    } else if (!strcmp(what, "slow")) {
        usleep(300000);
    }
    return -3; // VK_ERROR_INITIALIZATION_FAILED
}

static int happens(const char *here) { return !strcmp(where, here); }

__attribute__((constructor)) static void load(void) {
    Dl_info self;
    if (dladdr((void *)load, &self) && self.dli_fname) {
        const char *name = strrchr(self.dli_fname, '/');
        sscanf(name ? name + 1 : self.dli_fname, "libfake-%63[^-]-%63[^.].so", where, what);
    }
    const char *mark = getenv("FAKE_DRIVER_MARK");
    if (mark) close(open(mark, O_CREAT | O_WRONLY, 0666));
    const char *library = getenv("FAKE_DRIVER_BEHIND");
    if (library) behind = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (happens("load")) act();
}

__attribute__((destructor)) static void unload(void) {
    if (happens("unload")) act();
}

int vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version) {
    if (happens("negotiate")) {
        int result = act();
        if (!strcmp(what, "error")) return result;
    }
    int (*next)(uint32_t *) = behind ? (int (*)(uint32_t *))dlsym(behind, __func__) : NULL;
    if (next) return next(version);
    if (*version > 5) *version = 5;
    return 0;
}

function vk_icdGetInstanceProcAddr(void *instance, const char *name) {
    if (happens(name)) {
        if (strcmp(what, "slow") && strcmp(what, "print")) return (function)act;
        act();
    }
    function (*next)(void *, const char *) =
        behind ? (function (*)(void *, const char *))dlsym(behind, __func__) : NULL;
    return next ? next(instance, name) : NULL;
}

function vk_icdGetPhysicalDeviceProcAddr(void *instance, const char *name) {
    function (*next)(void *, const char *) =
        behind ? (function (*)(void *, const char *))dlsym(behind, __func__) : NULL;
    return next ? next(instance, name) : NULL;
}
