#include "image/connect.h"

#include <algorithm>

#include "core/core.h"
#include "image/places.h"

namespace knarr::image {
namespace {

constexpr std::uint32_t kStallSeconds = 300;  // without progress

/// knarr-pull alone as a source, to wait for.
class Waiting final : public Source {
public:
    explicit Waiting(PullProcess& process) : process_(process) {}
    Result<std::unique_ptr<ByteStream>> open_top() override { return none(); }
    Result<std::unique_ptr<ByteStream>> open_manifest(const spec::Descriptor&) override {
        return none();
    }
    Result<std::unique_ptr<ByteStream>> open_blob(const spec::Descriptor&) override {
        return none();
    }
    std::optional<spec::Digest> top_digest() const override { return std::nullopt; }
    std::string stored_name() const override { return {}; }
    int poll_fd() const override { return process_.poll_fd(); }
    Result<> pump() override { return process_.pump(); }
    Clock::Steady end() const override { return process_.end(); }

private:
    static Result<std::unique_ptr<ByteStream>> none() {
        return fail(Errc::internal, "there is nothing to open");
    }
    PullProcess& process_;
};

std::string scope_of(const std::string& repository,
                     Purpose purpose,
                     const std::vector<std::string>& mount_from) {
    if (purpose != Purpose::push && purpose != Purpose::remove) {
        return {};  // what the registry asks for
    }
    std::string scope = fmt::format(
        "repository:{}:{}", repository, purpose == Purpose::push ? "pull,push" : "pull,delete");
    for (const std::string& other : mount_from) {
        scope += fmt::format(" repository:{}:pull", other);
    }
    return scope;
}

/// The login for a place, by the name that it has in the auth files.
Result<Credentials> login_of(const Reference& reference,
                             const rpc::Session& place,
                             const std::string& auth_file,
                             const Deadline& deadline) {
    const auto left =
        std::chrono::ceil<std::chrono::seconds>(deadline.end - system_clock().steady());
    const auto patience = std::clamp(left, std::chrono::seconds(1), kHelperPatience);
    const auto there = place.registry == reference.host()
                           ? std::optional(reference)
                           : place_at(place.registry, place.repository);
    auto found =
        there ? load_credentials(*there, auth_file, patience) : Result<Credentials>(Credentials{});
    if (!found && found.error().code == Errc::timed_out && patience == left) {
        return fail(rpc::operation_over("asking for the login", deadline.given));
    }
    return found;
}

}  // namespace

Result<std::unique_ptr<PullProcess>> connect(const Reference& reference,
                                             const PullOptions& options,
                                             Purpose purpose,
                                             PullProcess::NoticeFn notice,
                                             const std::vector<std::string>& mount_from,
                                             const Credentials* login) {
    // From here on, so that what asks for a passphrase counts too.
    const Deadline deadline = deadline_of(options, system_clock().steady());
    std::vector<Place> places = KNARR_TRY(places_of(reference, options, purpose, notice));
    for (Place& place : places) {
        rpc::Session& session = place.session;
        Credentials own;
        if (!rpc::is_plain_by_default(session)) {  // there a secret goes by the caller's word alone
            own = login != nullptr
                      ? *login
                      : KNARR_TRY(login_of(reference, session, options.auth_file, deadline));
        }
        session.username = std::move(own.username);
        session.password = std::move(own.password);
        session.identity_token = std::move(own.identity_token);
        session.scope = scope_of(session.repository, purpose, mount_from);
        session.stall_seconds = options.stall_timeout.count() != 0
                                    ? count_seconds(options.stall_timeout)
                                    : kStallSeconds;
        session.retries = options.retries;
        if (purpose == Purpose::login) {
            session.repository.clear();
        }
    }
    return PullProcess::start(std::move(places), std::move(notice), deadline);
}

Result<> wait_for(PullProcess& process, const PullOptions& options) {
    Waiting source(process);
    KNARR_TRY(wait_for_news(source, {}, options));
    return {};
}

Result<PullProcess::Order> finish(PullProcess& process,
                                  std::uint32_t id,
                                  const PullOptions& options) {
    const PullProcess::Order& order = process.order(id);
    while (!order.done && !order.failed) {
        KNARR_TRY(wait_for(process, options));
    }
    PullProcess::Order ended = order;
    process.forget(id);
    if (ended.failed) {
        return fail(*std::move(ended.failed));
    }
    return ended;
}

Result<Document> fetch_document(PullProcess& process,
                                rpc::FetchKind kind,
                                const std::string& target,
                                std::size_t max,
                                const PullOptions& options) {
    const auto stream = KNARR_TRY(process.fetch(kind, target, max, 0));
    Waiting source(process);
    std::string text = KNARR_TRY(read_whole(source, *stream, max, options));
    return Document{.text = std::move(text),
                    .media_type = stream->media_type(),
                    .next_page = stream->next_page()};
}

Result<std::optional<Document>> fetch_if_there(PullProcess& process,
                                               rpc::FetchKind kind,
                                               const std::string& target,
                                               std::size_t max,
                                               const PullOptions& options) {
    auto document = fetch_document(process, kind, target, max, options);
    if (!document && document.error().code == Errc::image_not_found) {
        return std::optional<Document>();
    }
    return std::optional(KNARR_TRY(std::move(document)));
}

Result<> ask_whether_good(const Reference& place,
                          const Credentials& credentials,
                          const PullOptions& options,
                          PullProcess::NoticeFn notice) {
    const auto process =
        KNARR_TRY(connect(place, options, Purpose::login, std::move(notice), {}, &credentials));
    KNARR_TRY(
        fetch_document(*process, rpc::FetchKind::ping, "", limits::kMaxHttpBodyBytes, options));
    return {};
}

}  // namespace knarr::image
