#include "registry/url.h"

#include <gtest/gtest.h>

namespace knarr::registry {
namespace {

Url url(std::string_view text) {
    return parse_url(text).value();
}

TEST(Url, IsTakenApartAndPutTogether) {
    const Url full = url("HTTPS://Reg.Example.com:8443/v2/x?a=b#frag");
    EXPECT_EQ(full.scheme, "https");
    EXPECT_EQ(full.host, "reg.example.com");
    EXPECT_EQ(full.port, 8443U);
    EXPECT_EQ(full.rest, "/v2/x?a=b");
    EXPECT_EQ(full.text(), "https://reg.example.com:8443/v2/x?a=b");
    EXPECT_EQ(url("https://h").text(), "https://h/");
    EXPECT_EQ(url("https://h:443/").text(), "https://h/");
    EXPECT_EQ(url("http://[::1]:5000/v2/").text(), "http://[::1]:5000/v2/");
    EXPECT_EQ(url("https://h?q").rest, "/?q");
}

TEST(Url, RefusesWhatCouldMisleadCurl) {
    for (const char* text : {"ftp://h/",
                             "file:///etc/passwd",
                             "h/path",
                             "",
                             "https://",
                             "https://user:pw@h/",
                             "https://h:0/",
                             "https://h:65536/",
                             "https://h:x/",
                             "https://h/a b",
                             "https://h/\r\nX: y",
                             "https://[::1/",
                             "https://[zz]/",
                             "https://h\\@evil/"}) {
        EXPECT_FALSE(parse_url(text)) << text;
    }
}

TEST(Url, PlainHttpIsForLoopbackAlone) {
    for (const char* host : {"localhost:5000", "127.0.0.1", "127.9.8.7:1", "[::1]:5000"}) {
        EXPECT_TRUE(registry_url(host, true)) << host;
    }
    for (const char* host : {"example.com",
                             "10.0.0.1:5000",
                             "127.0.0.1.example.com",
                             "128.0.0.1",
                             "localhost.example.com",
                             "[::2]",
                             "127.0.0.256"}) {
        EXPECT_FALSE(registry_url(host, true)) << host;
        EXPECT_TRUE(registry_url(host, false)) << host;
    }
}

TEST(Redirect, RelativeAndAbsoluteLocationsAreFollowed) {
    const Url from = url("https://r.io/v2/x/blobs/sha256:1?q=2");
    EXPECT_EQ(follow(from, "https://cdn.io/b").value().text(), "https://cdn.io/b");
    EXPECT_EQ(follow(from, "/b?c").value().text(), "https://r.io/b?c");
    EXPECT_EQ(follow(from, "//cdn.io/b").value().text(), "https://cdn.io/b");
    EXPECT_EQ(follow(from, "other").value().text(), "https://r.io/v2/x/blobs/other");
}

TEST(Redirect, NeverGoesFromHttpsToHttp) {
    EXPECT_FALSE(follow(url("https://r.io/"), "http://r.io/"));
    EXPECT_FALSE(follow(url("https://r.io/"), "http://127.0.0.1/"));
    EXPECT_TRUE(follow(url("http://127.0.0.1/"), "http://127.0.0.1:8/"));
    EXPECT_FALSE(follow(url("http://127.0.0.1/"), "http://10.0.0.1/"));
    EXPECT_FALSE(follow(url("https://r.io/"), "file:///etc/passwd"));
    EXPECT_FALSE(follow(url("https://r.io/"), "gopher://r.io/"));
}

TEST(Origin, IsSchemeHostAndPort) {
    EXPECT_TRUE(url("https://h/a").same_origin(url("https://H:443/b")));
    EXPECT_FALSE(url("https://h/").same_origin(url("https://h:444/")));
    EXPECT_FALSE(url("https://h/").same_origin(url("https://cdn.h/")));
    EXPECT_FALSE(url("https://h/").same_origin(url("http://h:443/")));
}

TEST(Registry, PlainHttpToOthersIsTheOperatorsWord) {
    EXPECT_EQ(registry_url("r.io:5000", true, Plain::anywhere).value().text(), "http://r.io:5000/");
    EXPECT_TRUE(follow(url("http://r.io/"), "http://r.io:8/")) << "no further than it is trusted";
    EXPECT_FALSE(follow(url("http://r.io/"), "http://cdn.io/"));
    EXPECT_FALSE(follow(url("http://r.io/"), "http://127.0.0.1/")) << "a service of our own";
}

TEST(NextLink, IsTheOneThatSaysSo) {
    EXPECT_EQ(next_link(R"(</v2/a/tags/list?n=2&last=b,c>; rel="next")"),
              "/v2/a/tags/list?n=2&last=b,c");
    EXPECT_EQ(next_link(R"(</first>; rel="first", </second>; rel=next)"), "/second");
    for (const char* field : {"", "<", "<>", "</a", "</a>", R"(</a>; rel="prev")"}) {
        EXPECT_EQ(next_link(field), "") << field;
    }
}

TEST(PercentEncode, KeepsOnlyUnreservedCharacters) {
    EXPECT_EQ(percent_encode("a-Z_0.~"), "a-Z_0.~");
    EXPECT_EQ(percent_encode("repository:a/b:pull&x=%"), "repository%3Aa%2Fb%3Apull%26x%3D%25");
}

}  // namespace
}  // namespace knarr::registry
