; The kernel, prepared by boot/stub/calls.py and compressed: the DEFLATE data of a gzip file, without its header (RFC 1952, section 2.3).

GZIP_HEADER  equ 10             ; without a name and a comment
GZIP_TRAILER equ 8              ; kept: unpack() reads words, and these bytes may be read

global packed, packed_size
section .packed
packed:
    incbin PACKED, GZIP_HEADER
packed_end:
packed_size equ packed_end - packed - GZIP_TRAILER
