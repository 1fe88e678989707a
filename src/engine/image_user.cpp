#include "engine/image_user.h"

#include <cerrno>

#include "bundle/image_view.h"
#include "core/text.h"
#include "engine/owner.h"

namespace knarr::engine {

namespace {

struct UserTexts {
    std::string passwd, group;
};

Result<UserTexts> read_user_texts(const std::vector<std::string>& lowers) {
    bundle::ImageView view(lowers);
    const auto passwd = KNARR_TRY(view.read_file("/etc/passwd", bundle::kMaxPasswdBytes));
    const auto group = KNARR_TRY(view.read_file("/etc/group", bundle::kMaxPasswdBytes));
    return UserTexts{.passwd = passwd.value_or(""), .group = group.value_or("")};
}

/// What only the kernel can tell, or what belongs to another user, an ordinary one cannot see from
/// here.
Result<UserTexts> find_user_texts(const std::vector<std::string>& lowers) {
    Result<UserTexts> texts = read_user_texts(lowers);
    const int error = texts ? 0 : texts.error().sys_errno;
    if (!is_ordinary_user() || (error != EPERM && error != EACCES)) {
        return texts;
    }
    const Result<std::string> told = as_owner([&]() -> Result<std::string> {
        const UserTexts read = KNARR_TRY(read_user_texts(lowers));
        return fmt::format("{}\n{}{}", read.passwd.size(), read.passwd, read.group);
    });
    const std::string both = KNARR_TRY(Result<std::string>(told));
    const std::size_t line = both.find('\n');
    const auto size = parse_number(std::string_view(both).substr(0, line));
    if (line == std::string::npos || !size || *size > both.size() - line - 1) {
        return fail(Errc::internal, "what was read of the image is cut");
    }
    return UserTexts{.passwd = both.substr(line + 1, *size),
                     .group = both.substr(line + 1 + *size)};
}

}  // namespace

Result<bundle::ResolvedUser> find_user(const std::vector<std::string>& lowers,
                                       const RunRequest& request,
                                       const spec::ImageConfig& image) {
    const UserTexts texts = KNARR_TRY(find_user_texts(lowers));
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
