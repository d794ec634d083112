import { maskKnownSecrets } from './known-secrets.js';
import { masked } from './masked.js';
import { defaultSecretKeys, secretKeyMatcher } from './secret-keys.js';

const namesSecret = secretKeyMatcher(defaultSecretKeys);

// Bounded before and after their anchors, so that hostile text costs no more than its length. `user:password@` is how
// descriptions and help say what a URL looks like.
const userInfo = /\b([a-z][a-z0-9+.-]{0,30}:\/\/)(?!user:password@)[^\s/"'<>]{0,1024}@/gi;
/** A password with an unescaped slash in it; not a port with a path behind it. */
const slashedUserInfo =
  /\b([a-z][a-z0-9+.-]{0,30}:\/\/)(?!user:password@)[^\s/"'<>@:]{0,256}:(?!\d{1,5}[/?#])[^\s"'<>]{0,1024}@/gi;
const scheme = /\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}/g;
const assignment = /([A-Za-z][\w.-]{0,60})(=|["']\s*:\s*["'])([^\s"'&;,]+)/g;
/** The signature of a URL grants access to its holder. In other texts the same word is not a secret. */
const signature = /([?&](?:[\w-]{0,30}-)?sig(?:nature)?=)[^\s"'&;,]+/gi;

/**
 * The text as it may leave the process: masks the secrets of the configuration, the user part of any URL, what follows
 * `Bearer` and `Basic`, values assigned to a secret key (`password=x`, `?token=x`, `"secret":"x"`), and the signature of a
 * URL (`&sig=x`). What is masked already stays as it is.
 */
export function maskText(text: string, isSecretKey = namesSecret): string {
  let shown = maskKnownSecrets(text);
  if (shown.includes('@')) shown = shown.replace(slashedUserInfo, `$1${masked}@`).replace(userInfo, `$1${masked}@`);
  if (shown.includes('B')) shown = shown.replace(scheme, `$1 ${masked}`);
  if (shown.includes('=') || shown.includes(':'))
    shown = shown.replace(assignment, (whole, key: string, sign: string) =>
      isSecretKey(key) ? `${key}${sign}${masked}` : whole,
    );
  if (shown.includes('?')) shown = shown.replace(signature, `$1${masked}`);
  return shown;
}
