#include "cli/containers.h"

namespace knarr::cli {

namespace {

constexpr std::array kOptions{
    kBundleOption,
    kConfigOption,
    kPidFileOption,
    kConsoleSocketOption,
    kPidfdSocketOption,
    kPreserveFdsOption,
    kNoPivotOption,
    kNoNewKeyringOption,
    kNoSubreaperOption,
    kIsolationOption,
};

Result<int> run_create(Context& context, const Parsed& args) {
    const std::string_view id = KNARR_TRY(one_argument(args, "container ID"));
    const BundleRequest request = KNARR_TRY(bundle_request(args, id));
    context.failure_status = kRuncFailure;
    Engine engine = KNARR_TRY(open_engine(context));
    KNARR_TRY(engine.create(request));
    return 0;
}

}  // namespace

constexpr Verb kCreate{
    .name = "create",
    .synopsis = "[options] ID",
    .summary = "set a container up from an OCI bundle, up to its program",
    .about =
        "Makes the container ID from the bundle and stops just before its program: namespaces,\n"
        "mounts, cgroup and limits are there, nothing of the user's has run. `knarr start ID` "
        "lets\n"
        "the program run. Whatever fails, nothing is left behind.",
    .example = "knarr create --bundle /bundles/web web && knarr start web",
    .options = kOptions,
    .run = run_create,
};

}  // namespace knarr::cli
