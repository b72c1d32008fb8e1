/** Why the system did not do something, in words. */

const WORDS: Readonly<Record<string, string>> = {
  EACCES: 'no permission',
  EDQUOT: 'no space left in the quota',
  EEXIST: 'something there already',
  EISDIR: 'a directory',
  ELOOP: 'a link that leads back to itself',
  EMFILE: 'too many open files',
  ENAMETOOLONG: 'a name that is too long',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space left on the device',
  ENOTDIR: 'a path that leads through a file',
  EPERM: 'no permission',
  EROFS: 'a read-only file system',
};

/** What is said of an error of the system in place of its code, call and path, which the message names already. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code === undefined ? undefined : WORDS[code]) ?? message ?? String(error);
}
