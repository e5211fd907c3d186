/** Why the system refused something, in words; a cause without any keeps the system's message. */
const causes: Readonly<Record<string, string>> = {
	ENOENT: 'there is no such file',
	ENOTDIR: 'a part of the path is no folder',
	ELOOP: 'its links lead in a circle',
	EMFILE: 'too many files are open',
	ENOSPC: 'no space left',
	EACCES: 'permission denied',
	EPERM: 'permission denied',
	EROFS: 'the file system is read-only',
	EDQUOT: 'no space left in the quota',
	EFBIG: 'the file system takes no files of this size',
};

export function causeOf(problem: unknown): string {
	const { code, message } = problem as NodeJS.ErrnoException;
	return causes[code ?? ''] ?? message;
}
