/** The hash of a file that is computed in a thread of its own. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Hashing } from '../../../src/backends/onnx/hash.ts';

const test = suite('hashing');
const folder = mkdtempSync(join(tmpdir(), 'prunec-hash-'));
test.after(() => {
	rmSync(folder, { recursive: true });
});

test('it is that of the whole file, whatever its length', async () => {
	for (const length of [0, 1, (1 << 20) - 1, 1 << 20, (1 << 21) + 17]) {
		const bytes = Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 8)) & 255);
		const path = join(folder, `${length}.bin`);
		writeFileSync(path, bytes);
		const expected = createHash('sha256').update(bytes).digest('hex');
		const hashing = new Hashing(path);
		assert.is(await hashing.digest(), expected);
		assert.is(await hashing.digest(), expected);
	}
});

test('a file that is gone, or a thread that is stopped, is an error for whoever waits', async () => {
	const outcome = (digest: Promise<string>): Promise<string> =>
		digest.then(
			() => 'done',
			(problem: unknown) => String(problem),
		);
	assert.match(await outcome(new Hashing(join(folder, 'gone')).digest()), /ENOENT/);
	const large = join(folder, 'large.bin');
	writeFileSync(large, new Uint8Array(1 << 26));
	const stopped = new Hashing(large);
	const waiting = outcome(stopped.digest());
	stopped.stop();
	assert.match(await waiting, /was not finished/);
});

test.run();
