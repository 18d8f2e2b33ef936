/* The descriptions, as bytes of this library. The compiler is started in this folder. */
#define EMBED(name, file)                                                      \
    __asm__(".section .rodata\n"                                               \
            ".global " #name "_start\n.hidden " #name "_start\n"               \
            ".global " #name "_end\n.hidden " #name "_end\n"                   \
            #name "_start:\n.incbin \"" file "\"\n" #name "_end:\n.byte 0\n"   \
            ".previous\n")

EMBED(camera_xml, "camera.xml");
EMBED(stream_xml, "stream.xml");
