/** Expected texts kept as files. `UPDATE_GOLDEN=1 npm test` writes them; in CI that is refused. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';

const folder = fileURLToPath(new URL('../golden/', import.meta.url));

/** Compares a text with `test/golden/<path>`. */
export function golden(path: string, actual: string): void {
	const file = join(folder, path);
	if (process.env['UPDATE_GOLDEN'] === '1') {
		assert.is(process.env['CI'], undefined, 'golden files are not rewritten in CI');
		mkdirSync(dirname(file), { recursive: true });
		writeFileSync(file, actual);
		return;
	}
	assert.ok(existsSync(file), `${path} is missing: UPDATE_GOLDEN=1 npm test writes it`);
	assert.fixture(actual, readFileSync(file, 'utf8'), `${path} differs`);
}

/** JSON as golden files hold it. */
export function goldenJson(path: string, actual: unknown): void {
	golden(path, `${JSON.stringify(actual, undefined, '\t')}\n`);
}
