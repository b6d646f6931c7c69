// The compressed vocabularies as read-only data. The two file names come from CMakeLists.txt.

#define PRWKV_EMBED(symbol, file) \
  .global symbol;                 \
  .hidden symbol;                 \
  .type symbol, %object;          \
  .balign 16;                     \
symbol:                           \
  .incbin file;                   \
  .global symbol##_end;           \
  .hidden symbol##_end;           \
symbol##_end:                     \
  .size symbol, symbol##_end - symbol

  .section .rodata
PRWKV_EMBED(prwkv_world_zst, PRWKV_WORLD_ZST)
PRWKV_EMBED(prwkv_neox_zst, PRWKV_NEOX_ZST)

  .section .note.GNU-stack, "", %progbits
