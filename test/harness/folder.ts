/** A folder of its own for a suite's files, removed when the suite is done. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export type Folder = {
	readonly at: (...names: string[]) => string;
	/** Writes a file and returns its path. */
	readonly file: (name: string, content: string | Uint8Array) => string;
	readonly remove: () => void;
};

export function testFolder(): Folder {
	const root = mkdtempSync(join(tmpdir(), 'prunec-test-'));
	const at = (...names: string[]): string => join(root, ...names);
	return {
		at,
		file: (name, content) => {
			mkdirSync(dirname(at(name)), { recursive: true });
			writeFileSync(at(name), content);
			return at(name);
		},
		remove: () => {
			rmSync(root, { recursive: true });
		},
	};
}
