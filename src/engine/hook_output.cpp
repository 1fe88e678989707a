#include "engine/hook_output.h"

#include <fcntl.h>

#include "platform/file.h"

namespace knarr::engine {

namespace {

Result<sys::Fd> open_log(const std::map<std::string, std::string>& annotations, const char* name) {
    const auto path = annotations.find(name);
    if (path == annotations.end()) {
        return sys::Fd();
    }
    // O_NONBLOCK: a FIFO that nobody reads is an error and no wait.
    return KNARR_TRY(
        sys::open_path(path->second, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_NONBLOCK, 0600),
        "annotation {}",
        name);
}

}  // namespace

Result<runtime::HookOutput> open_hook_output(
    const std::map<std::string, std::string>& annotations) {
    sys::Fd out = KNARR_TRY(open_log(annotations, "run.oci.hooks.stdout"));
    sys::Fd err = KNARR_TRY(open_log(annotations, "run.oci.hooks.stderr"));
    return runtime::HookOutput{.out = std::move(out), .err = std::move(err)};
}

Result<> run_poststart(const Record& record) {
    if (record.poststart.empty()) {
        return {};
    }
    const runtime::HookOutput output = KNARR_TRY(open_hook_output(record.annotations));
    return runtime::run_hooks(
        record.poststart, "poststart", hook_state(record, "running", record.pid), output);
}

}  // namespace knarr::engine
