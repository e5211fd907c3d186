/** A repository of recipes that imports, locks, overrides and tests the recipes of another one, through the command line. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { prunec, ready, type Ended } from '../harness/process.ts';
import { folderOf } from '../harness/repository.ts';

const test = suite('two repositories');

function git(folder: string, ...args: readonly string[]): void {
	const env = { PATH: process.env['PATH'], HOME: folder, GIT_CONFIG_NOSYSTEM: '1' };
	execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b.c', ...args], {
		cwd: folder,
		env,
		stdio: 'pipe',
	});
}

function release(folder: string, tag: string): void {
	git(folder, 'add', '-A');
	git(folder, 'commit', '-q', '-m', tag);
	git(folder, 'tag', '-f', tag);
}

const lite = (share: number): string =>
	`recipe lite 1.0.0\n\n## the share of heads that goes\nparam share = ${share}% from 0% to 75%\nprune heads $share\n`;
let theirs = '';
let ours = '';
const run = (...args: readonly string[]): Ended => prunec(args, { cwd: ours });

test.before(async () => {
	await ready();
	theirs = folderOf({ 'vit/lite.prune': lite(50) });
	git(theirs, 'init', '-q', '-b', 'main');
	release(theirs, 'v1');
	const address = `git+file://${theirs}//vit/lite.prune#v1`;
	ours = folderOf({
		'prunec.yaml':
			'name: ours\nmodels:\n  small: { generate: encoder, layers: 2, heads: 4, width: 8, ffn: 64 }\n',
		'mine.prune': `param part = 25% from 0% to 75%\nuse "${address}" as lite\napply lite(share = $part)\nprune ffn 50%\n`,
		'mine.test.yaml': [
			'cases:',
			'  - { model: small, removes: [2, 64], samples: 2 }',
			'  - { model: small, params: { part: 50% }, removes: [4, 64], samples: 2 }',
			'',
		].join('\n'),
	});
});
test.after(() => {
	for (const folder of [theirs, ours]) rmSync(folder, { recursive: true, force: true });
});

test('an import is refused until it is locked, and then read from the store alone', () => {
	const before = run('check', 'mine.prune');
	assert.is(before.status, 1);
	assert.match(before.stderr, 'import/not-locked');
	const refused = run('add');
	assert.is(refused.status, 1, 'a repository on this machine needs consent');
	assert.match(refused.stderr, 'import/local-repository');
	const added = run('add', '--allow-file');
	assert.is(added.status, 0, added.stderr);
	assert.ok(existsSync(join(ours, 'prune.lock')));
	const checked = run('check', 'mine.prune', '--locked');
	assert.equal([checked.status, checked.stderr], [0, '']);
});

test('its parameters are overridden where it is applied, and from the command line within its limits', () => {
	const expanded = run('expand', 'mine.prune');
	assert.is(expanded.stdout, 'prune heads 25%\nprune ffn 50%\n');
	const more = run('expand', 'mine.prune', '-p', 'part=60%');
	assert.is(more.stdout, 'prune heads 60%\nprune ffn 50%\n');
	const most = run('check', '-e', readFileSync(join(ours, 'mine.prune'), 'utf8').replace('$part', '90%'));
	assert.is(most.status, 1);
	assert.match(most.stderr, 'check/param-out-of-range');
});

test('it is tested and listed here', () => {
	const tested = run('test');
	assert.is(tested.status, 0, tested.stdout + tested.stderr);
	assert.is(run('index').status, 0);
	assert.is(run('index', '--check').status, 0);
	const index = JSON.parse(readFileSync(join(ours, 'index.json'), 'utf8')) as {
		recipes: { statements: string[]; models: string[] }[];
	};
	assert.equal(index.recipes[0]?.statements, ['prune heads $part', 'prune ffn 50%']);
});

test('a tag that moves changes nothing until `update`, and a damaged store is told', () => {
	writeFileSync(join(theirs, 'vit/lite.prune'), `${lite(50)}prune ffn 3\n`);
	release(theirs, 'v1');
	assert.is(run('expand', 'mine.prune').stdout, 'prune heads 25%\nprune ffn 50%\n');
	const updated = run('update', '--allow-file');
	assert.is(updated.status, 0, updated.stderr);
	assert.is(run('expand', 'mine.prune').stdout, 'prune heads 25%\nprune ffn 3\nprune ffn 50%\n');
	rmSync(join(ours, '.prunec'), { recursive: true });
	const lost = run('check', 'mine.prune');
	assert.match(lost.stderr, 'import/not-stored');
	assert.is(run('add', '--allow-file', '--locked').status, 0);
	assert.is(run('check', 'mine.prune').status, 0);
});

test.run();
