#include "engine/features.h"

#include "cli/verb.h"
#include "cli/version.h"

namespace knarr::cli {

namespace {

Result<int> run_features(Context&, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    const sys::HostFacts host = KNARR_TRY(sys::probe_host());
    KNARR_TRY(print(engine::features_json(host, KNARR_VERSION, build_commit()) + "\n"));
    return 0;
}

}  // namespace

constexpr Verb kFeatures{
    .name = "features",
    .summary = "print what config.json may ask for, as JSON",
    .about =
        "Prints the features structure of the OCI runtime specification: hooks, mount options,\n"
        "namespaces, capabilities, seccomp and the rest, as this build takes them.",
    .example = "knarr features",
    .run = run_features,
};

}  // namespace knarr::cli
