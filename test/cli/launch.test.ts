import {
	chmodSync,
	existsSync,
	readdirSync,
	readFileSync,
	statSync,
	truncateSync,
	writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { folderWith, prunec, ready, removeFolders } from '../harness/process.ts';

const test = suite('launch');
test.before(async () => {
	await ready();
});
test.after(removeFolders);

const run = (cache: string, env = {}): string => {
	const { status, stdout, stderr } = prunec(['list', 'techniques', '--json'], {
		env: { XDG_CACHE_HOME: cache, ...env },
	});
	assert.equal([status, stderr], [0, '']);
	return stdout;
};

function codeIn(cache: string): string {
	const folder = join(cache, 'prunec/code');
	const names = readdirSync(folder);
	assert.is(names.length, 1);
	assert.match(names[0] ?? '', /^list-v[\d.]+-\w+-prunec-[0-9a-f]{12}\.js\.bin$/);
	return join(folder, names[0] ?? '');
}

test('keeps the code of a command, for its user alone, and starts from it', () => {
	const cache = folderWith();
	const said = run(cache);
	const file = codeIn(cache);
	const { mtimeMs, mode, ino } = statSync(file);
	assert.is(mode & 0o777, 0o600);
	assert.is(run(cache), said);
	assert.equal([statSync(file).mtimeMs, statSync(file).ino], [mtimeMs, ino], 'accepted: not written again');
});

test('makes code anew that is cut short, of something else, or writable for others', () => {
	const cache = folderWith();
	const said = run(cache);
	const file = codeIn(cache);
	const whole = readFileSync(file).length;
	const spoil: readonly (() => void)[] = [
		() => {
			truncateSync(file, 1000);
		},
		() => {
			writeFileSync(file, 'no code');
		},
		() => {
			chmodSync(file, 0o666);
		},
	];
	for (const damage of spoil) {
		damage();
		assert.is(run(cache), said);
		assert.is(statSync(file).mode & 0o777, 0o600);
		assert.ok(readFileSync(file).length > whole / 2);
	}
});

test('removes the code of other versions', () => {
	const cache = folderWith();
	run(cache);
	const file = codeIn(cache);
	const old = file.replace(/-[0-9a-f]{12}\.js/, '-000000000000.js');
	writeFileSync(old, '');
	truncateSync(file, 0);
	run(cache);
	assert.is(codeIn(cache), file);
});

test('runs where nothing can be kept, and keeps nothing when told', () => {
	const cache = folderWith();
	const nowhere = join(cache, 'a-file');
	writeFileSync(nowhere, '');
	const said = run(nowhere);
	assert.is(run(cache, { NODE_DISABLE_COMPILE_CACHE: '1' }), said);
	assert.not.ok(existsSync(join(cache, 'prunec')));
});

test.run();
