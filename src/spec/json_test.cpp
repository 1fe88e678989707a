#include <gtest/gtest.h>

#include "spec/json_reader.h"
#include "spec/json_writer.h"
#include "spec/utf8.h"

namespace knarr::spec {
namespace {

std::string refusal(std::string_view text) {
    const auto document = JsonDocument::parse(text, {.name = "x.json"});
    return document ? "(accepted)" : document.error().message;
}

JsonDocument parsed(std::string_view text) {
    return JsonDocument::parse(text, {.name = "x.json"}).value();
}

TEST(JsonReader, SyntaxErrorsNameLineAndColumn) {
    EXPECT_EQ(refusal(""), "x.json: line 1, column 1: the document is empty");
    EXPECT_EQ(refusal("{\n  \"a\": 1\n  \"b\": 2\n}"),
              "x.json: line 3, column 3: a comma or } is missing after a member");
    EXPECT_EQ(refusal("{} x"),
              "x.json: line 1, column 4: something follows the end of the document");
    EXPECT_EQ(refusal("[1,2"),
              "x.json: line 1, column 5: a comma or ] is missing after an element");
    EXPECT_EQ(refusal("[1,]"), "x.json: line 1, column 4: this is not JSON");
    EXPECT_EQ(refusal("\"abc"), "x.json: line 1, column 5: a string has no end");
    EXPECT_EQ(refusal("// c\n1"), "x.json: line 1, column 1: this is not JSON");
    EXPECT_EQ(refusal("NaN"), "x.json: line 1, column 1: this is not JSON");
}

TEST(JsonReader, BytesThatAreNotUtf8AreRefused) {
    for (const std::string_view bad : {"\"\xff\"",
                                       "\"\xc0\x80\"",
                                       "\"\xed\xa0\x80\"",
                                       "\"\xf0\x9f",
                                       "\"\xf4\x90\x80\x80\"",
                                       "\"12345678\xe2\x82\""}) {
        EXPECT_NE(refusal(bad).find("this is not UTF-8"), std::string::npos) << bad;
    }
    EXPECT_EQ(refusal("\"\xe2\x82\xac \xf0\x9f\x9a\xa2 \xc3\xbc\""), "(accepted)");
    EXPECT_EQ(refusal("\"\\ud83d\\udea2\""), "(accepted)");
    EXPECT_NE(refusal("\"\\udc00\"").find("half of a surrogate pair"), std::string::npos);
    EXPECT_NE(refusal("\"\\ud800x\"").find("half of a surrogate pair"), std::string::npos);
}

TEST(JsonReader, NulIsRefusedRawAndEscaped) {
    EXPECT_EQ(refusal(std::string_view("[1]\0x", 5)), "x.json: line 1, column 4: NUL is not JSON");
    EXPECT_NE(refusal(R"(["a\u0000b"])").find("a string contains NUL"), std::string::npos);
    EXPECT_NE(refusal(R"({"a\u0000b":1})").find("a string contains NUL"), std::string::npos);
}

TEST(JsonReader, AMemberGivenTwiceIsRefusedInSmallAndLargeObjects) {
    EXPECT_NE(refusal(R"([{"a":1,"b":2,"a":1}])").find("the member \"a\" is given twice"),
              std::string::npos);
    EXPECT_NE(refusal(R"({"ab":1,"\u0061b":2})").find("given twice"), std::string::npos);
    std::string large = "{";
    for (int i = 0; i < 100; ++i) {
        large += fmt::format("\"k{}\":{},", i, i);
    }
    EXPECT_EQ(refusal(large + "\"z\":0}"), "(accepted)");
    EXPECT_NE(refusal(large + "\"k50\":0}").find("\"k50\" is given twice"), std::string::npos);
}

TEST(JsonReader, NestingIsBounded) {
    const auto nested = [](std::size_t depth) {
        return std::string(depth, '[') + std::string(depth, ']');
    };
    EXPECT_EQ(refusal(nested(kMaxJsonDepth)), "(accepted)");
    EXPECT_EQ(refusal(nested(kMaxJsonDepth + 1)), "x.json: nested more than 64 deep");
    EXPECT_EQ(refusal(std::string(1'000'000, '[')), "x.json: nested more than 64 deep");
}

TEST(JsonReader, SizeIsBounded) {
    const auto result = JsonDocument::parse("[1,2]", {.name = "x", .max_bytes = 4});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::limit_exceeded);
    EXPECT_TRUE(JsonDocument::parse("[1,2]", {.name = "x", .max_bytes = 5}));
}

TEST(JsonReader, RequiredAndOptionalMembersAreReadIntoTheirTypes) {
    const JsonDocument document = parsed(
        R"({"text":"a\tb","list":[1,2],"map":{"k":-3},"flag":true,"none":null,"big":18446744073709551615})");
    const JsonValue root = document.root();
    std::string text;
    std::vector<int> list;
    std::map<std::string, std::int8_t> map;
    std::optional<std::uint64_t> big, missing;
    bool flag = false;
    EXPECT_TRUE(root.required("text", text) && root.required("list", list) &&
                root.required("map", map) && root.required("flag", flag) &&
                root.optional("big", big) && root.optional("missing", missing));
    EXPECT_EQ(text, "a\tb");
    EXPECT_EQ(list, (std::vector{1, 2}));
    EXPECT_EQ(map.at("k"), -3);
    EXPECT_TRUE(flag);
    EXPECT_EQ(big, UINT64_MAX);
    EXPECT_FALSE(missing);
    EXPECT_EQ(root.required("none", text).error().message, "x.json: none: is missing");
    EXPECT_EQ(root.required("text", flag).error().message,
              "x.json: text: \"a\\x09b\" is a string, not true or false");
    EXPECT_EQ(root.required("text", flag).error().code, Errc::corrupt);
}

TEST(JsonReader, PathsLeadThroughObjectsAndArrays) {
    const JsonDocument document = parsed(R"({"x":[[],{}],"a":[0,[1,{"b.c":{"d":"v"}}]]})");
    const JsonValue value = *document.root().find("a");
    std::string seen;
    for (const auto& outer : value.children()) {
        for (const auto& inner : outer.value.children()) {
            if (const auto member = inner.value.find("b.c")) {
                seen = member->find("d")->path();
            }
        }
    }
    EXPECT_EQ(seen, "a[1][1][\"b.c\"].d");
}

TEST(JsonReader, SecretsAreNotShown) {
    const auto document = JsonDocument::parse(R"({"password":["hunter2"],"n":12345,"s":"hunter2"})",
                                              {.name = "auth", .values = JsonValues::secret});
    std::string text;
    std::int8_t number = 0;
    EXPECT_EQ(document->root().required("password", text).error().message,
              "auth: password: this is an array, not a string");
    EXPECT_EQ(document->root().required("n", number).error().message,
              "auth: n: the number is not between -128 and 127");
    EXPECT_EQ(document->root().required("s", number).error().message,
              "auth: s: this is a string, not a number");
}

TEST(JsonWriter, EscapesWhatMustBeEscapedAndNoMore) {
    JsonWriter json;
    json.value(std::string_view("<a>&\"\\/\b\n\r\t\x01\x7f \xc3\xbc \xff", 18));
    EXPECT_EQ(json.text(), "\"<a>&\\\"\\\\/\\u0008\\n\\r\\t\\u0001\\u007f \xc3\xbc \xef\xbf\xbd\"");
}

TEST(JsonWriter, WritesCompactAndIndented) {
    const auto write = [](JsonLayout layout) {
        JsonWriter json(layout);
        json.begin_object().member("a", 1).member("b", true).key("c").begin_array();
        json.value("x").null().begin_object().end_object().end_array();
        json.member("d", std::vector<int>{}).member("e", std::map<std::string, int>{{"f", -1}});
        json.member("g", std::optional<int>()).member("h", UINT64_MAX).end_object();
        return std::move(json).text();
    };
    EXPECT_EQ(
        write(JsonLayout::compact),
        R"({"a":1,"b":true,"c":["x",null,{}],"d":[],"e":{"f":-1},"g":null,"h":18446744073709551615})");
    EXPECT_EQ(write(JsonLayout::indented), R"({
  "a": 1,
  "b": true,
  "c": [
    "x",
    null,
    {}
  ],
  "d": [],
  "e": {
    "f": -1
  },
  "g": null,
  "h": 18446744073709551615
})");
}

TEST(JsonWriter, WhatItWritesIsReadBack) {
    std::string every_byte;
    for (int c = 1; c < 128; ++c) {
        every_byte += static_cast<char>(c);
    }
    JsonWriter json;
    json.begin_object().member(every_byte, every_byte).end_object();
    const JsonDocument document = parsed(json.text());
    EXPECT_EQ(document.root().find(every_byte)->string().value(), every_byte);
}

TEST(JsonWriter, WritesNothingThatATerminalActsUpon) {
    JsonWriter json;
    json.value("\x1b[1m\xc2\x9b\x7f\xc2\xa0\xc3\xa4");
    EXPECT_EQ(std::move(json).text(), "\"\\u001b[1m\\u009b\\u007f\xc2\xa0\xc3\xa4\"");
}

TEST(WithoutControls, LeavesNothingThatATerminalActsUpon) {
    EXPECT_EQ(
        without_controls("\x1b]0;x\x07\b\x7f\xc2\x9b\xc2\xa0\xc3\xa4\xf0\x9f\x98\x80\xff"),
        "\\u001b]0;x\\u0007\\u0008\\u007f\\u009b\xc2\xa0\xc3\xa4\xf0\x9f\x98\x80\xef\xbf\xbd");
    EXPECT_EQ(without_controls("\xe2\x80\xaa\xe2\x80\xae\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa"),
              "\\u202a\\u202e\\u2066\\u2069\xe2\x81\xaa");
}

TEST(WithoutControls, LeavesTheBlanksBetweenTheParts) {
    EXPECT_EQ(without_controls("{\r\n\t\"a\\n\": 1 }"), "{\r\n\t\"a\\n\": 1 }");
}

}  // namespace
}  // namespace knarr::spec
