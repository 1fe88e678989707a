#include "cli/attach_options.h"
#include "cli/chosen.h"
#include "cli/containers.h"

namespace knarr::cli {

namespace {

constexpr std::array kOptions{
    kDetachKeysOption,
    Option{.name = "no-stdin", .help = "what is typed or piped stays here"},
    kSigProxyOption,
    kLatestOption,
};

Result<int> run_attach(Context& context, const Parsed& args) {
    AttachRequest request = attach_request(args);
    request.pass_input = !args.flag("no-stdin");
    Engine engine = KNARR_TRY(open_engine(context));
    const std::string id = KNARR_TRY(only_container(engine, args));
    return KNARR_TRY(engine.attach(id, request)).value_or(0);
}

}  // namespace

AttachRequest attach_request(const Parsed& args) {
    AttachRequest request;
    request.detach_keys = args.get("detach-keys", request.detach_keys);
    request.pass_signals = !args.has("sig-proxy") || args.flag("sig-proxy");
    return request;
}

constexpr Verb kAttach{
    .name = "attach",
    .synopsis = "[options] ID",
    .summary = "be in front of a container that runs in the background",
    .about =
        "Shows what the program writes from now on, and gives it what is typed. One with a\n"
        "terminal (-t) has it in yours: raw mode, the size of your window, and the detach keys,\n"
        "which leave it running, as does a killed knarr. One without gets what is typed or piped\n"
        "where it was started with -i, and signals. Up to 64 may attach, and none of them can\n"
        "hold the program up. The exit status is the program's; 0 after the detach keys.",
    .example = "knarr attach web",
    .options = kOptions,
    .run = run_attach,
};

}  // namespace knarr::cli
