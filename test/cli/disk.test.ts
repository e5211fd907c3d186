/** What happens to files when things go wrong: full disks, refused folders, signals, sudden death. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadModel } from '../../src/backends/onnx/load.ts';
import { saveModel, stageModel } from '../../src/backends/onnx/save.ts';
import { Fault } from '../../src/diagnostic.ts';
import { numbersOf } from '../../src/ir/graph/tensor.ts';
import { recognizer } from '../../examples/read-lines.ts';
import { encoder } from '../harness/model.ts';
import {
	everything,
	failing,
	folderWith,
	fullAfter,
	interrupted,
	killedAtRename,
	prunec,
	ready,
	removeFolders,
} from '../harness/process.ts';

const test = suite('files when things go wrong');
let folder = '';

test.before(async () => {
	await ready();
	folder = folderWith({ 'model.onnx': recognizer });
});
test.after(removeFolders);

const build = ['build', '-e', 'prune ffn 50%', 'model.onnx', '-o', 'small.onnx', '--no-verify'];

test('a disk that takes a little at a time gets the whole file', () => {
	const out = { cwd: folder, preload: fullAfter(2 ** 40) };
	assert.is(prunec([...build, '-q'], out).status, 0);
	const plain = prunec([...build.map((word) => word.replace('small', 'plain')), '-q'], { cwd: folder });
	assert.is(plain.status, 0);
	assert.ok(readFileSync(join(folder, 'small.onnx')).equals(readFileSync(join(folder, 'plain.onnx'))));
});

for (const space of [0, 1, 5_000_000]) {
	test(`a disk that is full after ${space} bytes leaves what was there`, () => {
		const cwd = folderWith({ 'model.onnx': recognizer });
		writeFileSync(join(cwd, 'small.onnx'), 'mine');
		const { status, stderr } = prunec([...build, '--force'], { cwd, preload: fullAfter(space) });
		assert.is(status, 2);
		assert.match(
			stderr,
			/write\/failed: cannot write 'small.onnx': no space left \(\d{8} bytes are needed\)/,
		);
		assert.equal(everything(cwd), ['model.onnx', 'small.onnx']);
		assert.is(readFileSync(join(cwd, 'small.onnx'), 'utf8'), 'mine');
	});
}

/** A file system of 4 MiB where this machine lets us have one; else a folder, which the injected faults above stand for. */
function smallDisk(): { readonly path: string; readonly real: boolean; close(): void } {
	const path = join(folderWith(), 'disk');
	mkdirSync(path);
	const real = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', path]).status === 0;
	return { path, real, close: () => real && spawnSync('umount', [path]) };
}

test('a full file system is reported with what is needed, and left empty', () => {
	const disk = smallDisk();
	try {
		const args = build.map((word) => (word === 'small.onnx' ? join(disk.path, word) : word));
		const { status, stderr } = prunec(args, {
			cwd: folder,
			...(disk.real ? {} : { preload: failing('fsyncSync', 'ENOSPC') }),
		});
		assert.is(status, 2);
		assert.match(stderr, 'no space left');
		assert.equal(everything(disk.path), []);
	} finally {
		disk.close();
	}
});

test('a disk that is full takes no copy either', () => {
	const cwd = folderWith({ 'model.onnx': recognizer });
	const copy = ['build', '-e', '', 'model.onnx', '-o', 'same.onnx', '--no-verify'];
	const { status, stderr } = prunec(copy, { cwd, preload: failing('copyFileSync', 'ENOSPC') });
	assert.is(status, 2);
	assert.match(stderr, 'no space left');
	assert.equal(everything(cwd), ['model.onnx']);
});

for (const [name, code, words] of [
	['mkdtempSync', 'EACCES', 'permission denied'],
	['mkdtempSync', 'EROFS', 'the file system is read-only'],
	['fsyncSync', 'EIO', 'EIO: injected'],
	['renameSync', 'EPERM', 'permission denied'],
] as const) {
	test(`${code} from ${name} is a message, not a trace, and nothing is left`, () => {
		const cwd = folderWith({ 'model.onnx': recognizer });
		const { status, stderr } = prunec(build, { cwd, preload: failing(name, code) });
		assert.is(status, 2);
		assert.match(stderr, 'write/failed: cannot write');
		assert.match(stderr, words);
		assert.equal(everything(cwd), ['model.onnx']);
	});
}

for (const [signal, status] of [
	['SIGINT', 130],
	['SIGTERM', 143],
] as const) {
	test(`${signal} while the result is measured ends with ${status} and nothing is left`, async () => {
		const cwd = folderWith({ 'model.onnx': recognizer });
		const isStaged = (): boolean => everything(cwd).some((name) => /^\.prunec-\d+-\w+$/.test(name));
		const args = ['build', '-e', '', 'model.onnx', '-o', 'small.onnx', '--samples', '100', '--json'];
		const ended = await interrupted(args, cwd, signal, isStaged);
		assert.is(ended.status, status);
		const { diagnostics } = JSON.parse(ended.stdout) as { readonly diagnostics: readonly { code: string }[] };
		assert.equal(
			diagnostics.map(({ code }) => code),
			['cli/interrupted'],
		);
		assert.equal(everything(cwd), ['model.onnx']);
	});
}

const old = encoder(1, { heads: 2, width: 16, hidden: 64 }, { seed: 1 });
const next = encoder(1, { heads: 2, width: 16, hidden: 64 }, { seed: 2 });

/** Every weight of a model file, as one number. */
function sumOf(path: string): number {
	const { model, file } = loadModel(path);
	const sum = [...model.graph.initializers.values()]
		.flatMap((tensor) => Array.from(numbersOf(tensor)))
		.reduce((total, value) => total + value, 0);
	file.close();
	return sum;
}

test('a process that dies between data file and model file leaves the old pair as it was, or the new one', () => {
	const cwd = folderWith();
	const path = join(cwd, 'pair.onnx');
	saveModel(old, join(cwd, 'old.onnx'));
	saveModel(next, join(cwd, 'next.onnx'));
	const [before, after] = [sumOf(join(cwd, 'old.onnx')), sumOf(join(cwd, 'next.onnx'))];
	assert.is.not(before, after);
	saveModel(old, path, { externalData: 'always' });
	assert.equal(everything(cwd), ['next.onnx', 'old.onnx', 'pair.onnx', 'pair.onnx_data']);
	const source = new URL('../../src/backends/onnx/', import.meta.url).href;
	const program = `import { loadModel } from '${source}load.ts'; import { saveModel } from '${source}save.ts';
saveModel(loadModel('next.onnx').model, 'pair.onnx', { externalData: 'always', force: true });`;
	const replace = (...preload: readonly string[]): string | null => {
		const imports = [
			import.meta.resolve('tsx'),
			...preload.map((text) => `data:text/javascript,${encodeURIComponent(text)}`),
		];
		const args = [...imports.flatMap((one) => ['--import', one]), '--input-type=module', '-e', program];
		return spawnSync(process.execPath, args, { cwd }).signal;
	};
	// The first name inside the private folder is the data file's own; then data and model get theirs, and then those that loaders look for.
	for (const count of [1, 2, 3, 4, 5]) {
		saveModel(old, path, { externalData: 'always', force: true });
		assert.is(replace(killedAtRename(count)), 'SIGKILL', `at name ${count}`);
		assert.is(sumOf(path), count <= 3 ? before : after, `killed at name ${count}`);
	}
	assert.is(replace(), null);
	assert.is(sumOf(path), after);
	assert.equal(
		everything(cwd).filter((name) => name.startsWith('pair.')),
		['pair.onnx', 'pair.onnx_data'],
		'under the name that Transformers.js looks for',
	);
	const left = everything(cwd).filter((name) => !name.startsWith('pair.'));
	assert.equal(left, ['next.onnx', 'old.onnx'], 'what the dead have left is swept');
});

test('a message that would pass the limit goes to a data file, with the same weights', () => {
	const cwd = folderWith();
	saveModel(old, join(cwd, 'one.onnx'));
	saveModel(old, join(cwd, 'two.onnx'), { limit: 20_000 });
	assert.equal(everything(cwd), ['one.onnx', 'two.onnx', 'two.onnx_data']);
	assert.is(sumOf(join(cwd, 'two.onnx')), sumOf(join(cwd, 'one.onnx')));
});

test('a result that is not committed leaves no trace, and its folder is not made', () => {
	const cwd = folderWith();
	const staged = stageModel(old, { root: join(cwd, 'new'), name: 'onnx/model.onnx', sides: [] });
	assert.is(everything(cwd).includes('new'), false);
	staged.discard();
	assert.equal(everything(cwd), []);
	assert.throws(
		() => stageModel(old, { root: join(cwd, 'no', 'such'), name: 'model.onnx', sides: [] }),
		(problem: unknown) => problem instanceof Fault && problem.diagnostics[0]?.code === 'write/failed',
	);
});

test.run();
