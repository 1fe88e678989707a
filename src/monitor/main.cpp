// knarr-monitor: the process above a container in the background. Everything is in
// engine/monitor.h; knarr alone starts it.

#include <cstdio>
#include <vector>

#include "engine/errand.h"
#include "engine/monitor.h"
#include "engine/own_log.h"

int main(int argc, char** argv) {
    const std::vector<std::string_view> words(argv + (argc > 0 ? 1 : 0), argv + argc);
    const knarr::OwnLog log = knarr::engine::log_of_environment();
    if (knarr::engine::is_errand(words)) {
        return knarr::engine::run_errand(words, log) ? 0
                                                     : 1;  // whose end alone the monitor looks at
    }
    auto order = knarr::engine::parse_order(words);
    if (!order) {
        const knarr::Error& error = order.error();
        static_cast<void>(std::fprintf(
            stderr, "knarr-monitor: %s\nhint: %s\n", error.message.c_str(), error.hint.c_str()));
        return knarr::describe(error.code).exit_status;
    }
    order->log = log;
    const knarr::Result<> watched = knarr::engine::monitor(*order);
    return watched ? 0 : knarr::describe(watched.error().code).exit_status;
}
