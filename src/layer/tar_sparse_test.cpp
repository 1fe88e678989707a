#include "layer/tar_sparse.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace knarr::layer {
namespace {

class SparseMap : public testing::Test {
protected:
    /// What the tar has behind the header.
    void put(const std::string& text) {
        TarBlock& block = blocks_.emplace_back();
        block.fill('\0');
        std::ranges::copy(text, block.begin());
    }
    Result<> read() {
        return read_pax_sparse(
            extended_,
            [this](TarBlock& block) -> Result<bool> {
                if (taken_ == blocks_.size()) {
                    return false;
                }
                block = blocks_[taken_++];
                return true;
            },
            entry_);
    }
    /// "offset+bytes " of each run.
    std::string runs() const {
        std::string text;
        for (const SparseRun& run : entry_.runs) {
            text += fmt::format("{}+{} ", run.offset, run.bytes);
        }
        return text;
    }

    PaxRecords global_;
    TarExtended extended_{.global = global_};
    std::vector<TarBlock> blocks_;
    std::size_t taken_ = 0;
    TarEntry entry_;
};

TEST_F(SparseMap, OfFormat00IsInNumbers) {
    extended_.records = {{"GNU.sparse.size", "100"}};
    extended_.sparse_numbers = {0, 4, 90, 6};
    entry_.stored_size = 10;
    ASSERT_TRUE(read().has_value());
    EXPECT_TRUE(entry_.sparse);
    EXPECT_EQ(entry_.size, 100U);
    EXPECT_EQ(runs(), "0+4 90+6 ");
}

TEST_F(SparseMap, OfFormat01IsOneRecord) {
    extended_.records = {{"GNU.sparse.size", "100"}, {"GNU.sparse.map", "0,4,90,6"}};
    entry_.stored_size = 10;
    ASSERT_TRUE(read().has_value());
    EXPECT_EQ(runs(), "0+4 90+6 ");
    extended_.records["GNU.sparse.map"] = "0,4,90";
    EXPECT_FALSE(read().has_value()) << "an offset without a length";
}

TEST_F(SparseMap, OfFormat10StandsBeforeTheDataAndIsNoPartOfIt) {
    extended_.records = {
        {"GNU.sparse.major", "1"}, {"GNU.sparse.minor", "0"}, {"GNU.sparse.realsize", "100"}};
    put("2\n0\n4\n90\n6\n");
    entry_.stored_size = 512 + 10;
    ASSERT_TRUE(read().has_value());
    EXPECT_EQ(entry_.stored_size, 10U);
    EXPECT_EQ(runs(), "0+4 90+6 ");
}

TEST_F(SparseMap, OfFormat10EndsInsideTheEntry) {
    extended_.records = {
        {"GNU.sparse.major", "1"}, {"GNU.sparse.minor", "0"}, {"GNU.sparse.realsize", "100"}};
    put("2\n0\n4\n90");
    put("\n6\n");
    entry_.stored_size = 512 + 10;
    EXPECT_FALSE(read().has_value()) << "its second block is not the entry's";
    EXPECT_EQ(taken_, 1U);
}

TEST_F(SparseMap, StaysInsideTheFileAndIsSorted) {
    extended_.records = {{"GNU.sparse.size", "100"}};
    for (const std::vector<std::uint64_t>& numbers :
         {std::vector<std::uint64_t>{90, 6, 0, 4}, {0, 4, 3, 6}, {0, 4, 95, 6}, {0, 4, 90, 5}}) {
        entry_ = TarEntry{.stored_size = 10};
        extended_.sparse_numbers = numbers;
        EXPECT_FALSE(read().has_value()) << runs();
    }
}

TEST_F(SparseMap, NoRecordOfOneLeavesTheEntryAlone) {
    entry_.size = entry_.stored_size = 10;
    ASSERT_TRUE(read().has_value());
    EXPECT_FALSE(entry_.sparse);
    EXPECT_EQ(entry_.size, 10U);
}

}  // namespace
}  // namespace knarr::layer
