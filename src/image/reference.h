#pragma once
// Names of images, by Docker's rules.

#include <optional>
#include <string>
#include <string_view>

#include "knarr/result.h"
#include "spec/image.h"

namespace knarr::image {

/// The registry that short names mean, and the host at which it answers.
inline constexpr std::string_view kDefaultDomain = "docker.io";
inline constexpr std::string_view kDefaultDomainHost = "registry-1.docker.io";
inline constexpr std::string_view kDefaultTag = "latest";

/// A reference to an image in a registry, with every default filled in:
/// "busybox" is docker.io/library/busybox:latest.
/// Source: the grammar in github.com/distribution/reference reference.go, and its normalize.go.
class Reference {
public:
    /// Errors: invalid_argument saying which rule is broken; limit_exceeded past
    /// limits::kMaxReferenceBytes.
    static Result<Reference> parse(std::string_view text);

    const std::string& domain() const { return domain_; }          ///< "docker.io"
    const std::string& repository() const { return repository_; }  ///< "library/busybox"
    const std::string& tag() const { return tag_; }  ///< empty when there is only a digest
    const std::optional<spec::Digest>& digest() const { return digest_; }

    /// host[:port] to connect to: "registry-1.docker.io".
    std::string host() const;
    /// "docker.io/library/busybox".
    std::string name() const { return domain_ + "/" + repository_; }
    /// "docker.io/library/busybox:latest", with "@sha256:..." when there is a digest.
    std::string text() const;
    /// As docker shows it: "busybox:latest".
    std::string familiar() const;
    /// `name()` as docker shows it: "busybox".
    std::string familiar_name() const;

private:
    Reference() = default;
    std::string domain_, repository_, tag_;
    std::optional<spec::Digest> digest_;
};

/// A stored reference as docker shows it: "busybox:latest". What is no name (the digest of an image
/// that has none) stays as it is.
std::string familiar_reference(std::string_view stored);

/// The first of several components is a registry when it looks like a host: a dot, a port,
/// "localhost", or an upper-case letter, which no repository may have.
bool names_a_registry(std::string_view first);

}  // namespace knarr::image
