// knarr-pull: fetches manifests and blobs for knarr, and has no rights but the network.
// Started by knarr with a socket on descriptor 3; not for people. Source: rpc/transfer.h.

#include <cstdio>
#include <exception>
#include <string_view>

#include "platform/environment.h"
#include "platform/process.h"
#include "platform/socket.h"
#include "registry/session.h"

namespace {

constexpr int kSocket = 3;

int serve() {
    // Logins are on their way to here, and others may have this user, who owns nothing.
    static_cast<void>(knarr::sys::set_dumpable(false));
    knarr::sys::hide_environment();  // a proxy's password
    knarr::sys::ignore_broken_pipes();
    const knarr::sys::Fd socket(kSocket);
    return knarr::registry::serve(socket) ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::string_view(argv[1]) == "--version") {
        std::puts("knarr-pull " KNARR_VERSION);
        return 0;
    }
    if (argc != 2 || std::string_view(argv[1]) != "--serve") {
        std::fputs("knarr-pull is started by knarr; use knarr pull IMAGE\n", stderr);
        return 2;
    }
    try {
        return serve();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "knarr-pull: %s\n", error.what());
        return 1;
    }
}
