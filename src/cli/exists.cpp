// container, image, volume and network exists: podman's question of scripts.

#include "cli/containers.h"
#include "cli/docker_verbs.h"
#include "cli/network.h"
#include "core/text.h"
#include "engine/volumes.h"
#include "platform/task.h"

namespace knarr::cli {

namespace {

/// The exit status; what is no name at all names nothing. Errors: where nobody can tell.
template <typename T>
Result<int> answer(Context& context, const Result<T>& found) {
    const Errc code = found ? Errc::not_found : found.error().code;
    if (code == Errc::not_found || code == Errc::image_not_found ||
        code == Errc::invalid_argument) {
        return found ? 0 : 1;
    }
    context.failure_status = kOwnFailure;
    return fail(found.error());
}

Result<int> run_container_exists(Context& context, const Parsed& args) {
    const std::string_view name = KNARR_TRY(one_argument(args, "container ID"));
    const Engine engine = KNARR_TRY(open_engine(context));
    return answer(context, engine.state(name));
}

Result<int> run_image_exists(Context& context, const Parsed& args) {
    const std::string_view name = KNARR_TRY(one_argument(args, "IMAGE"));
    const Engine engine = KNARR_TRY(open_engine(context));
    return answer(context, engine.inspect_image(name));
}

Result<int> run_volume_exists(Context& context, const Parsed& args) {
    const std::string_view name = KNARR_TRY(one_argument(args, "volume"));
    const std::string root = KNARR_TRY(sys::absolute(context.globals.data_root));
    return answer(context, engine::find_volume(root, std::string(name)));
}

Result<int> run_network_exists(Context& context, const Parsed& args) {
    const std::string_view name = KNARR_TRY(one_argument(args, "network"));
    return answer(context, find_network(name));
}

constexpr std::string_view kAbout =
    "Prints nothing: the exit status is 0 where there is one, 1 where there is none, and 125 "
    "where\n"
    "that could not be found out.";

}  // namespace

constexpr Verb kContainerExists{
    .name = "exists",
    .synopsis = "ID",
    .summary = "whether there is such a container",
    .about = kAbout,
    .example = "knarr container exists web || knarr run -d --name web busybox sleep 1000",
    .usage_status = kOwnFailure,
    .run = run_container_exists,
};

constexpr Verb kImageExists{
    .name = "exists",
    .synopsis = "IMAGE",
    .summary = "whether such an image is stored",
    .about = kAbout,
    .example = "knarr image exists busybox || knarr pull busybox",
    .usage_status = kOwnFailure,
    .run = run_image_exists,
};

constexpr Verb kVolumeExists{
    .name = "exists",
    .synopsis = "NAME",
    .summary = "whether there is such a volume",
    .about = kAbout,
    .example = "knarr volume exists data || knarr volume create data",
    .usage_status = kOwnFailure,
    .run = run_volume_exists,
};

constexpr Verb kNetworkExists{
    .name = "exists",
    .synopsis = "NAME",
    .summary = "whether there is such a network",
    .about = kAbout,
    .example = "knarr network exists host",
    .usage_status = kOwnFailure,
    .run = run_network_exists,
};

}  // namespace knarr::cli
