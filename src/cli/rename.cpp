#include "cli/containers.h"

namespace knarr::cli {

namespace {

Result<int> run_rename(Context& context, const Parsed& args) {
    if (args.positionals.size() != 2) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = "a container and its new name are wanted",
                          .hint = "knarr rename ID NAME"});
    }
    Engine engine = KNARR_TRY(open_engine(context));
    KNARR_TRY(engine.rename(args.positionals[0], std::string(args.positionals[1])));
    return 0;
}

}  // namespace

constexpr Verb kRename{
    .name = "rename",
    .synopsis = "ID NAME",
    .summary = "give a container another name",
    .about =
        "Gives a container made from an image another name, whatever state it is in. A name that "
        "is\n"
        "another container's name or ID is an error.",
    .example = "knarr rename web old-web",
    .run = run_rename,
};

}  // namespace knarr::cli
