#include "engine/image_user.h"

#include <cerrno>

#include "bundle/image_view.h"
#include "engine/exec_process.h"
#include "engine/owner_values.h"

namespace knarr::engine {

namespace {

Result<UserFiles> read_user_texts(const std::vector<std::string>& lowers) {
    bundle::ImageView view(lowers);
    const auto passwd = KNARR_TRY(view.read_file("/etc/passwd", bundle::kMaxPasswdBytes));
    const auto group = KNARR_TRY(view.read_file("/etc/group", bundle::kMaxPasswdBytes));
    return UserFiles{.passwd = passwd.value_or(""), .group = group.value_or("")};
}

/// What only the kernel can tell, or what belongs to another user, an ordinary one cannot see from
/// here.
Result<UserFiles> find_user_texts(const std::vector<std::string>& lowers) {
    Result<UserFiles> texts = read_user_texts(lowers);
    const int error = texts ? 0 : texts.error().sys_errno;
    if (!is_ordinary_user() || (error != EPERM && error != EACCES)) {
        return texts;
    }
    return value_as_owner<UserFiles>([&] { return read_user_texts(lowers); });
}

}  // namespace

Result<bundle::ResolvedUser> find_user(const std::vector<std::string>& lowers,
                                       const RunRequest& request,
                                       const spec::ImageConfig& image) {
    const UserFiles texts = KNARR_TRY(find_user_texts(lowers));
    const std::string& asked = request.user.empty() ? image.config.user : request.user;
    Result<bundle::ResolvedUser> user = bundle::resolve_user(asked, texts.passwd, texts.group);
    if (!user && request.user.empty()) {
        Error error = std::move(user).error();
        error.code = Errc::invalid_image;
        return fail(std::move(error).within("the image's User").advise("choose one with --user"));
    }
    for (const std::string& name : user ? request.settings.groups : std::vector<std::string>()) {
        const auto found =
            KNARR_TRY(bundle::resolve_user("0:" + name, "", texts.group), "further group");
        user->groups.push_back(found.gid);
    }
    if (user) {
        user->groups = bundle::all_groups(*user);
    }
    return user;
}

}  // namespace knarr::engine
