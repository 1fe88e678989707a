#pragma once
// A knarr-pull that speaks with the registry of a reference, for one purpose.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "image/credentials.h"
#include "image/pull_process.h"
#include "image/reference.h"
#include "knarr/image.h"

namespace knarr::image {

/// What is to be done there; what the token is to allow.
enum class Purpose : std::uint8_t { pull, push, look, remove, login };

/// `mount_from`: further repositories of the same registry that blobs may be taken from.
/// `login`: instead of those of the auth files. Waits, retries and doubtful settings are told
/// through `notice`.
/// Errors: those of PullProcess::start and places_of.
Result<std::unique_ptr<PullProcess>> connect(const Reference& reference,
                                             const PullOptions& options,
                                             Purpose purpose,
                                             PullProcess::NoticeFn notice,
                                             const std::vector<std::string>& mount_from = {},
                                             const Credentials* login = nullptr);

/// A small document, whole: an answer of the registry.
struct Document {
    std::string text;
    std::string media_type;
    std::string next_page;  ///< empty: there is none
};
Result<Document> fetch_document(PullProcess& process,
                                rpc::FetchKind kind,
                                const std::string& target,
                                std::size_t max,
                                const PullOptions& options);

/// The same; nothing where there is none.
Result<std::optional<Document>> fetch_if_there(PullProcess& process,
                                               rpc::FetchKind kind,
                                               const std::string& target,
                                               std::size_t max,
                                               const PullOptions& options);

/// Waits for news of the process; what comes is taken in. Errors: interrupted.
Result<> wait_for(PullProcess& process, const PullOptions& options);

/// Waits for the end of an order, and forgets it. Errors: interrupted; those of the order.
Result<PullProcess::Order> finish(PullProcess& process,
                                  std::uint32_t id,
                                  const PullOptions& options);

/// Errors: unauthorized when the registry does not take the credentials.
Result<> ask_whether_good(const Reference& place,
                          const Credentials& credentials,
                          const PullOptions& options,
                          PullProcess::NoticeFn notice);

}  // namespace knarr::image
