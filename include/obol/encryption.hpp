// Whether stored sessions are encrypted, or only signed.
#pragma once

namespace obol::inline v0 {

/// To encrypt a store that is in use: deploy `off` (a release that reads both forms) everywhere, then `encrypt`
/// everywhere, and `require` once every session was refreshed or has expired.
enum class Encryption {
  off,      ///< Sessions are signed (COSE_Mac0); reads both forms.
  encrypt,  ///< Sessions are encrypted (COSE_Encrypt0, A256GCM); reads both forms.
  require,  ///< Encrypts, and takes a session that is only signed for none.
};

}  // namespace obol::inline v0
