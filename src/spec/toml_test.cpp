#include "spec/toml.h"

#include <gtest/gtest.h>

namespace knarr::spec {
namespace {

TomlValue parse(std::string_view text) {
    auto value = parse_toml(text, "f");
    EXPECT_TRUE(value) << value.error().message;
    return value ? *value : TomlValue{};
}

std::string refusal(std::string_view text) {
    const auto value = parse_toml(text, "f");
    return value ? "accepted" : value.error().message;
}

TEST(Toml, ReadsWhatPodmanWrites) {
    const TomlValue root = parse(R"(# a comment
unqualified-search-registries = ["docker.io", 'quay.io', ] # more
[[registry]]
prefix = "example.com/foo"
insecure = false
[[registry.mirror]]
location = "a"
[[registry.mirror]]
location = "b"
[[registry]]
location = "r"
[aliases]
"debian" = "docker.io/library/debian"
)");
    EXPECT_EQ(root.find("unqualified-search-registries")->elements.at(1).text, "quay.io");
    const TomlValue* registries = root.find("registry");
    ASSERT_EQ(registries->elements.size(), 2U);
    EXPECT_EQ(registries->elements[0].find("mirror")->elements.at(1).find("location")->text, "b");
    EXPECT_EQ(registries->elements[0].find("insecure")->kind, TomlKind::boolean);
    EXPECT_EQ(registries->elements[1].find("location")->text, "r");
    EXPECT_EQ(registries->elements[1].find("mirror"), nullptr);
    EXPECT_EQ(root.find("aliases")->find("debian")->text, "docker.io/library/debian");
}

TEST(Toml, ReadsWhatContainerdWrites) {
    const TomlValue root = parse(R"(server = "https://docker.io"
[host."https://b"]
  capabilities = [
    "pull", # first
    "resolve"
  ]
  [host."https://b".header]
    x = ["1", "2"]
[host."https://a"]
  client = [["c", "k"]]
)");
    const TomlValue* hosts = root.find("host");
    ASSERT_EQ(hosts->members.size(), 2U);
    EXPECT_EQ(hosts->members.front().name, "https://b") << "the order is that of the file";
    EXPECT_EQ(hosts->members.front().value.find("capabilities")->elements.size(), 2U);
    EXPECT_EQ(hosts->members.back().value.find("client")->elements.at(0).elements.at(1).text, "k");
}

TEST(Toml, KnowsTextsInAllTheirForms) {
    const TomlValue root = parse(
        "a = \"x\\t\\u00e9\\\"\"\nb = 'C:\\x'\nc = \"\"\"\nl1\n  l2 \\\n   "
        "l3\"\"\"\nd = '''a'b'''\ne.f = 1_000\ng = -7\nh = 1.5\ni = {j = 1, k.l = "
        "\"m\"}\nn = \"\"\r\n");
    EXPECT_EQ(root.find("a")->text, "x\t\u00e9\"");
    EXPECT_EQ(root.find("b")->text, "C:\\x");
    EXPECT_EQ(root.find("c")->text, "l1\n  l2 l3");
    EXPECT_EQ(root.find("d")->text, "a'b");
    EXPECT_EQ(root.find("e")->find("f")->integer, 1000);
    EXPECT_EQ(root.find("g")->integer, -7);
    EXPECT_EQ(root.find("h")->kind, TomlKind::other);
    EXPECT_EQ(root.find("i")->find("k")->find("l")->text, "m");
    EXPECT_EQ(root.find("n")->text, "");
}

TEST(Toml, RefusesWithTheLine) {
    EXPECT_EQ(refusal("a = 1\na = 2"), "f: line 2: \"a\" is given twice");
    EXPECT_EQ(refusal("[a]\n[a]"), "f: line 2: \"a\" is there already");
    EXPECT_EQ(refusal("\na = docker.io"),
              "f: line 2: \"docker.io\" is no value: texts stand in quotes");
    for (const char* text : {"a",
                             "a =",
                             "= 1",
                             "a = \"x",
                             "a = 'x\n'",
                             "a = [1",
                             "a = [1 2]",
                             "a = {b = 1",
                             "[a",
                             "[[a]",
                             "a = 1 b = 2",
                             "a = \"\\q\"",
                             "a = \"\\u00\"",
                             "a = \"\\ud800\"",
                             "a = 1\n[a.b]",
                             "a = {}\n[a.b]",
                             "a = [{}]\n[[a]]",
                             "[[a]]\n[a]",
                             "a = \"\x01\"",
                             "# \x01"}) {
        EXPECT_NE(refusal(text), "accepted") << text;
    }
}

TEST(Toml, IsBounded) {
    EXPECT_FALSE(parse_toml("a = " + std::string(1000, '['), "f"));
    std::string key = "a";
    for (int i = 0; i < 100; ++i) {
        key += ".a";
    }
    EXPECT_FALSE(parse_toml(key + " = 1", "f"));
    EXPECT_FALSE(parse_toml(std::string(2 << 20, '#'), "f"));
}

}  // namespace
}  // namespace knarr::spec
