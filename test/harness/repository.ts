/** Folders for tests, made of a table of files. */
import { mkdirSync, mkdtempSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** By path: text or bytes, or where a link leads. */
export type Files = Readonly<Record<string, string | Uint8Array | { readonly link: string }>>;

/** A new folder with these files; its path without links. */
export function folderOf(files: Files): string {
	const folder = realpathSync(mkdtempSync(join(tmpdir(), 'prunec-test-')));
	for (const [path, content] of Object.entries(files)) {
		const file = join(folder, path);
		mkdirSync(dirname(file), { recursive: true });
		if (typeof content === 'string' || content instanceof Uint8Array) writeFileSync(file, content);
		else symlinkSync(content.link, file);
	}
	return folder;
}
