#include "cli/containers.h"
#include "cli/json_template.h"
#include "cli/refused.h"

namespace knarr::cli {

namespace {

constexpr std::array kOptions{
    Option{.name = "format",
           .letter = 'f',
           .value = "TEMPLATE",
           .help = "json, or a Go template of members: {{.State.Status}}, {{json .State}}",
           .fallback = "json"},
    Option{.name = "size",
           .letter = 's',
           .help = "also SizeRw, what it wrote, and SizeRootFs, that with its image: bytes"},
    Option{.name = "type",
           .letter = 't',
           .value = "TYPE",
           .help = "container; image: knarr image inspect"},
};

Result<int> run_inspect(Context& context, const Parsed& args) {
    if (args.positionals.empty()) {
        return fail(Errc::invalid_argument, "which one? container ID is missing");
    }
    if (args.get("type", "container") != "container") {
        return fail(Error{.code = Errc::unsupported,
                          .message = "inspect shows containers",
                          .hint = "knarr image inspect IMAGE shows an image"});
    }
    const std::string_view format = args.get("format", "json");
    const Sizes sizes = args.flag("size") ? Sizes::shown : Sizes::left_out;
    const Engine engine = KNARR_TRY(open_engine(context));
    std::string array;
    const Result<int> status =
        for_each_container(context, args, [&](std::string_view id) -> Result<> {
            const std::string one = KNARR_TRY(engine.inspect(id, sizes));
            if (format != "json") {
                const std::string text = KNARR_TRY(render_template(format, one));
                return print(text + "\n");
            }
            array += (array.empty() ? "" : ",") + one;
            return {};
        });
    if (format == "json") {
        // Those that were found are shown, as docker has it.
        KNARR_TRY(print("[" + array + "]\n"));
    }
    return status;
}

}  // namespace

constexpr Verb kInspect{
    .name = "inspect",
    .synopsis = "[options] ID...",
    .summary = "print all about containers",
    .about =
        "Prints a JSON array with one object for each container, in the shape of docker's API. "
        "With\n"
        "a template, one line for each. An exit code that nobody saw is 255, and State.Error says "
        "so.",
    .example = "knarr inspect -f '{{.State.Status}} {{.State.ExitCode}}' web",
    .options = kOptions,
    .rules = {.refused = kRefusedByInspect},
    .run = run_inspect,
};

}  // namespace knarr::cli
