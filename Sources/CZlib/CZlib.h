// The system's zlib (zlib1g-dev of Debian, zlib of Homebrew): raw DEFLATE for permessage-deflate.
#include <zlib.h>
