#include "sparsity/data/image_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "image_files.h"
#include "sparsity/base/error.h"

namespace sparsify {
namespace {

using ::testing::HasSubstr;

class ImageFolderTest : public ::testing::Test {
 protected:
  std::string MessageOf(const std::string& labels_csv, bool check_files = false) {
    folder_.Add("labels.csv", labels_csv);
    try {
      const ImageFolder folder(folder_.path(), "", check_files);
      return "no error";
    } catch (const Error& error) {
      const std::string message = error.what();
      const std::string prefix = folder_.path() + "/";
      return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
    }
  }

  TemporaryFolder folder_;
};

TEST_F(ImageFolderTest, ListsFilesInOrderWithTheirLabels) {
  const Image first = NoiseImage(3, 4, 3, 1);
  const Image second = NoiseImage(5, 2, 1, 2);
  folder_.Add("b.png", EncodePng(first));
  folder_.Add("sub/a, \"x\".png", EncodePng(second));
  folder_.Add("labels.csv",
              "\xef\xbb\xbf"
              "file,label\r\nb.png,7\r\n\r\n\"sub/a, \"\"x\"\".png\",0\r\n");
  const ImageFolder folder(folder_.path(), "", true);
  ASSERT_EQ(folder.size(), 2);
  EXPECT_EQ(folder.LabelOf(0), 7);
  EXPECT_EQ(folder.LabelOf(1), 0);
  EXPECT_EQ(folder.Read(0).pixels, first.pixels);
  EXPECT_EQ(folder.Read(1).pixels, second.pixels);
  EXPECT_EQ(folder.NameOf(0), folder_.path() + "/b.png");
}

TEST_F(ImageFolderTest, AnotherLabelFileMayBeGiven) {
  folder_.Add("x.png", EncodePng(NoiseImage(2, 2, 1, 1)));
  const std::string labels = folder_.Add("other/l.csv", "file,label\nx.png,3\n");
  EXPECT_EQ(ImageFolder(folder_.path(), labels, true).LabelOf(0), 3);
}

TEST_F(ImageFolderTest, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(MessageOf("a.png,1\n"),
            "labels.csv:1: the header is \"a.png,1\", expected \"file,label\"");
  EXPECT_EQ(MessageOf("file,label\na.png\n"), "labels.csv:2: \"a.png\" has no label");
  EXPECT_EQ(MessageOf("file,label\na.png,1\nb.png,cat\n"),
            "labels.csv:3: label \"cat\" is not a class number (0, 1, …)");
  EXPECT_EQ(MessageOf("file,label\na.png,-1\n"),
            "labels.csv:2: label \"-1\" is not a class number (0, 1, …)");
  EXPECT_EQ(MessageOf("file,label\na.png,1\nb.png,1\na.png,1\n"),
            "labels.csv:4: \"a.png\" is already listed in line 2");
  EXPECT_EQ(MessageOf("file,label\n,1\n"), "labels.csv:2: the file name is empty");
  EXPECT_EQ(MessageOf("file,label\n\"a.png,1\n"), "labels.csv:2: the quote is never closed");
  EXPECT_EQ(MessageOf("file,label\n"), "labels.csv: lists no images");
  EXPECT_EQ(MessageOf("file,label\nno.png,1\n", true),
            "labels.csv:2: \"no.png\" does not exist in " + folder_.path());
}

TEST_F(ImageFolderTest, WithoutLabelsAllImagesCount) {
  folder_.Add("b.PNG", EncodePng(NoiseImage(3, 4, 3, 1)));
  folder_.Add("sub/a.jpeg", "not read yet");
  folder_.Add("a.jpg", "not read yet");
  folder_.Add("notes.txt", "no image");
  const ImageFolder folder = ImageFolder::WithoutLabels(folder_.path());
  ASSERT_EQ(folder.size(), 3);
  EXPECT_THAT(folder.NameOf(0), ::testing::EndsWith("/a.jpg"));
  EXPECT_THAT(folder.NameOf(1), ::testing::EndsWith("/b.PNG"));
  EXPECT_THAT(folder.NameOf(2), ::testing::EndsWith("/sub/a.jpeg"));
  EXPECT_EQ(folder.LabelOf(1), -1);
  EXPECT_EQ(folder.Read(1).height, 3);
}

TEST_F(ImageFolderTest, AnEmptyFolderWithoutLabelsIsAnError) {
  try {
    ImageFolder::WithoutLabels(folder_.path());
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()),
              folder_.path() + ": holds no labels.csv and no .jpg, .jpeg or .png files");
  }
}

TEST_F(ImageFolderTest, MissingFoldersAndListsAreErrors) {
  try {
    ImageFolder(folder_.path() + "/none", "", true);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(
        std::string(error.what()),
        folder_.path() + "/none: not a directory; expected a folder of images with labels.csv");
  }
  try {
    ImageFolder(folder_.path(), "", true);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("labels.csv: "));
  }
}

}  // namespace
}  // namespace sparsify
