#include "image/registry_source.h"

#include "core/core.h"
#include "image/connect.h"

namespace knarr::image {
namespace {

constexpr std::size_t kParallelBlobs = 3;

class RegistrySource final : public Source {
public:
    RegistrySource(Reference reference, std::unique_ptr<PullProcess> process)
        : reference_(std::move(reference)), process_(std::move(process)) {}

    Result<std::unique_ptr<ByteStream>> open_top() override {
        const std::string target =
            reference_.digest() ? reference_.digest()->text() : reference_.tag();
        return process_->fetch(rpc::FetchKind::manifest, target, limits::kMaxManifestBytes, 0);
    }
    Result<std::unique_ptr<ByteStream>> open_manifest(const spec::Descriptor& entry) override {
        return process_->fetch(
            rpc::FetchKind::manifest, entry.digest.text(), limits::kMaxManifestBytes, entry.size);
    }
    Result<std::unique_ptr<ByteStream>> open_blob(const spec::Descriptor& blob) override {
        return open_rest(blob, 0);
    }
    bool can_resume() const override { return true; }
    Result<std::unique_ptr<ByteStream>> open_rest(const spec::Descriptor& blob,
                                                  std::uint64_t offset) override {
        return process_->fetch(
            rpc::FetchKind::blob, blob.digest.text(), blob.size, blob.size, offset);
    }
    std::optional<spec::Digest> top_digest() const override { return reference_.digest(); }
    std::string stored_name() const override { return reference_.text(); }
    std::size_t parallel() const override { return kParallelBlobs; }
    int poll_fd() const override { return process_->poll_fd(); }
    Result<> pump() override { return process_->pump(); }
    Clock::Steady end() const override { return process_->end(); }

private:
    Reference reference_;
    std::unique_ptr<PullProcess> process_;
};

}  // namespace

Result<std::unique_ptr<Source>> open_registry(const Reference& reference,
                                              const PullOptions& options,
                                              std::function<void(const std::string&)> notice) {
    auto process = KNARR_TRY(connect(reference, options, Purpose::pull, std::move(notice)));
    return std::unique_ptr<Source>(std::make_unique<RegistrySource>(reference, std::move(process)));
}

}  // namespace knarr::image
