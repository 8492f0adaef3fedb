# Rewrites in the headers what Doxygen 1.9.4 misunderstands.
s/^namespace obol \{ inline namespace v0 \{/namespace obol {/
s/^\}\}(\}*)  \/\/ namespace obol::v0/}\1  \/\/ namespace obol/
/^TYPED_TEST_SUITE_P/,/^}  \/\/ namespace/{
  /^}  \/\/ namespace/!d
}
/^class [A-Za-z]+Conformance/,/^};/s/^ protected:/ private:/
