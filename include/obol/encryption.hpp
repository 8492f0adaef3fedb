// Whether stored sessions are encrypted or only signed.
#pragma once

namespace obol { inline namespace v0 {

/// How sessions are stored. To encrypt a store that is in use, deploy `off` (a release that reads both forms)
/// everywhere, then `encrypt` everywhere, and then `require` when every session has been refreshed or has expired.
enum class Encryption {
  off,      ///< Sessions are signed (COSE_Mac0); reads both forms.
  encrypt,  ///< Sessions are encrypted (COSE_Encrypt0, A256GCM); reads both forms.
  require,  ///< Sessions are encrypted; a session that is only signed is treated as absent.
};

}}  // namespace obol::v0
