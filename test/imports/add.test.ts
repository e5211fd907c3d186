import { execFileSync } from 'node:child_process';
import {
	chmodSync,
	existsSync,
	readdirSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkText } from '../../src/recipe-text/check-text.ts';
import { Fault } from '../../src/diagnostic.ts';
import { lockImports, type Outcome, type Wish } from '../../src/imports/add.ts';
import { isPrivate, permit } from '../../src/imports/git.ts';
import { integrity } from '../../src/imports/lock.ts';
import { importsOf } from '../../src/imports/read.ts';
import { readAddress } from '../../src/ir/imports/address.ts';
import { folderOf, type Files } from '../harness/repository.ts';

const test = suite('adding imports');
const step = 'prune heads 25%\n';
const use = (address: string): string => `use "${address}"\n`;
const hashOf = (text: string): string => integrity(new TextEncoder().encode(text));

function wish(more: Partial<Wish> = {}): Wish {
	return {
		...{ allowFile: true, allowHosts: [], addresses: [], renew: () => false },
		...{ keepUnused: true, locked: false, offline: false, ...more },
	};
}

async function codeOf(work: Promise<unknown>): Promise<string> {
	try {
		await work;
		return 'nothing';
	} catch (problem) {
		if (problem instanceof Fault) return problem.diagnostics[0]?.code ?? '';
		throw problem;
	}
}

type LockJson = {
	imports: Record<string, { version?: string; commit?: string; files: Record<string, string> }>;
};
const lockOf = (folder: string): LockJson['imports'] =>
	(JSON.parse(readFileSync(join(folder, 'prune.lock'), 'utf8')) as LockJson).imports;

function codesAt(folder: string): readonly string[] {
	const path = join(folder, 'r.prune');
	const text = readFileSync(path, 'utf8');
	return checkText(text, {}, { imports: importsOf(text, path) }).diagnostics.map(({ code }) => code);
}

/** Git with nobody's settings. */
function git(folder: string, ...args: readonly string[]): string {
	const env = { PATH: process.env['PATH'], HOME: folder, GIT_CONFIG_NOSYSTEM: '1' };
	const who = ['-c', 'user.name=a', '-c', 'user.email=a@b.c', '-c', 'protocol.file.allow=always'];
	return execFileSync('git', [...who, ...args], { cwd: folder, env, encoding: 'utf8', stdio: 'pipe' }).trim();
}

function repository(files: Files): string {
	const folder = folderOf(files);
	git(folder, 'init', '-q', '-b', 'main');
	commit(folder, 'v1');
	return folder;
}

function commit(folder: string, tag: string): string {
	git(folder, 'add', '-A');
	git(folder, 'commit', '-q', '-m', tag);
	git(folder, 'tag', '-a', tag, '-m', tag);
	return git(folder, 'rev-parse', 'HEAD');
}

const add = async (folder: string, more: Partial<Wish> = {}): Promise<Outcome> =>
	lockImports(folder, wish(more));

test('locks a file of a git repository at a tag, and what it imports there', async () => {
	const theirs = repository({
		'vit/half.prune': use('../base.prune'),
		'base.prune': step,
		'other.prune': step,
	});
	const head = git(theirs, 'rev-parse', 'HEAD');
	const ours = folderOf({ 'prunec.yaml': '', 'r.prune': use(`git+file://${theirs}//vit/half.prune#v1`) });
	assert.equal(codesAt(ours), ['import/not-locked']);
	const { changes, fetched } = await add(ours);
	assert.equal(changes, [`git+file://${theirs}#v1 is new, at ${head.slice(0, 12)}`]);
	assert.is(fetched.length, 2);
	assert.equal(lockOf(ours), {
		[`git+file://${theirs}#v1`]: {
			commit: head,
			files: { 'base.prune': hashOf(step), 'vit/half.prune': hashOf(use('../base.prune')) },
		},
	});
	assert.is(readdirSync(join(ours, '.prunec/imports')).length, 2);
	rmSync(theirs, { recursive: true });
	assert.equal(codesAt(ours), [], 'a build needs nothing but the lock and the store');
	assert.equal(await add(ours), { changes: [], fetched: [] }, 'nor does adding again');
});

test('stays at the locked commit when the tag moves, until it is updated', async () => {
	const theirs = repository({ 'a.prune': step });
	const ours = folderOf({ 'prunec.yaml': '', 'r.prune': use(`git+file://${theirs}//a.prune#v1`) });
	await add(ours);
	const before = lockOf(ours);
	writeFileSync(join(theirs, 'a.prune'), 'prune ffn 25%\n');
	git(theirs, 'tag', '-d', 'v1');
	const moved = commit(theirs, 'v1');
	rmSync(join(ours, '.prunec'), { recursive: true });
	assert.is((await add(ours, { locked: true })).fetched.length, 1);
	assert.equal(lockOf(ours), before);
	assert.equal(codesAt(ours), []);
	const { changes } = await add(ours, { renew: () => true, keepUnused: false });
	assert.is(changes.length, 1);
	assert.is(Object.values(lockOf(ours))[0]?.commit, moved);
});

test('with --locked, fails when the lock would change and leaves it alone', async () => {
	const theirs = repository({ 'a.prune': step, 'b.prune': step });
	const ours = folderOf({ 'prunec.yaml': '', 'r.prune': use(`git+file://${theirs}//a.prune#v1`) });
	const locked = { locked: true, keepUnused: false };
	assert.is(await codeOf(add(ours, locked)), 'import/lock-stale');
	assert.not.ok(existsSync(join(ours, 'prune.lock')));
	await add(ours);
	await add(ours, locked);
	writeFileSync(join(ours, 's.prune'), use(`git+file://${theirs}//b.prune#v1`));
	assert.is(await codeOf(add(ours, locked)), 'import/lock-stale');
	rmSync(join(ours, 's.prune'));
	rmSync(join(ours, 'r.prune'));
	assert.is(await codeOf(add(ours, locked)), 'import/lock-stale');
});

test('a commit can be named, a branch cannot', async () => {
	const theirs = repository({ 'a.prune': step });
	const head = git(theirs, 'rev-parse', 'HEAD');
	const ours = (ref: string): string =>
		folderOf({ 'prunec.yaml': '', 'r.prune': use(`git+file://${theirs}//a.prune#${ref}`) });
	assert.is((await add(ours(head))).fetched.length, 1);
	assert.is(await codeOf(add(ours('main'))), 'import/fetch-failed');
	assert.is(await codeOf(add(ours('v2'))), 'import/fetch-failed');
	assert.is(await codeOf(add(ours('0'.repeat(40)))), 'import/fetch-failed');
});

test('nothing in a repository runs, and only its plain files are read', async () => {
	const proof = join(folderOf({}), 'ran');
	const script = `#!/bin/sh\ntouch ${proof}\n`;
	const theirs = repository({
		'a.prune': step,
		'.gitattributes': '*.prune filter=evil diff=evil\n',
		'.gitmodules': '[submodule "x"]\n\tpath = x\n\turl = ext::sh -c touch% /never\n',
		'.githooks/post-checkout': script,
		'link.prune': { link: '/etc/passwd' },
		'inside.prune': { link: 'a.prune' },
		'folder.prune/b': '',
		'large.prune': '#'.repeat(2 ** 20 + 1),
	});
	for (const hook of ['post-checkout', 'post-merge', 'pre-receive', 'reference-transaction']) {
		writeFileSync(join(theirs, '.git/hooks', hook), script);
		chmodSync(join(theirs, '.git/hooks', hook), 0o755);
	}
	git(theirs, 'config', 'core.hooksPath', '.githooks');
	git(theirs, 'config', 'filter.evil.smudge', `touch ${proof}`);
	git(theirs, 'config', 'core.fsmonitor', `touch ${proof}`);
	git(theirs, 'config', 'uploadpack.packObjectsHook', `touch ${proof}`);
	const from = async (path: string): Promise<string> =>
		codeOf(add(folderOf({ 'prunec.yaml': '', 'r.prune': use(`git+file://${theirs}//${path}#v1`) })));
	assert.is(await from('a.prune'), 'nothing');
	assert.is(await from('link.prune'), 'import/not-a-file');
	assert.is(await from('inside.prune'), 'import/not-a-file');
	assert.is(await from('folder.prune'), 'import/not-a-file');
	assert.is(await from('large.prune'), 'import/too-large');
	assert.is(await from('absent.prune'), 'import/not-found');
	assert.not.ok(existsSync(proof));
});

test('a repository on this machine needs consent, and a recipe from elsewhere cannot name one', async () => {
	const theirs = repository({ 'a.prune': step });
	const ours = folderOf({ 'prunec.yaml': '', 'r.prune': use(`git+file://${theirs}//a.prune#v1`) });
	assert.is(await codeOf(add(ours, { allowFile: false })), 'import/local-repository');
	const installed = folderOf({
		'prunec.yaml': '',
		'r.prune': use('npm:acme/a.prune'),
		'node_modules/acme/package.json': '{"name":"acme","version":"1.0.0"}',
		'node_modules/acme/a.prune': use(`git+file://${theirs}//a.prune#v1`),
	});
	assert.is(await codeOf(add(installed)), 'import/remote-local');
});

test('hosts in private networks need consent', async () => {
	const at = (host: string): Parameters<typeof permit>[0] => {
		const address = readAddress(`git+https://${host}/r.git//a.prune#v1`);
		if (address.kind !== 'git') throw new TypeError(host);
		return address;
	};
	const no = { allowFile: false, allowHosts: [] };
	const rebinding = async (): Promise<string[]> => Promise.resolve(['93.184.216.34', '169.254.169.254']);
	for (const host of [
		'127.0.0.1',
		'10.1.2.3',
		'192.168.0.1',
		'169.254.169.254',
		'100.64.0.1',
		'[::1]',
		'[fd00::1]',
		'[fe80::1]',
		'0.0.0.0',
	])
		assert.is(await codeOf(permit(at(host), no)), 'import/private-host', host);
	assert.is(await codeOf(permit(at('[::ffff:7f00:1]'), no)), 'import/private-host');
	assert.is(await codeOf(permit(at('example.org'), no, rebinding)), 'import/private-host');
	await permit(at('example.org'), no, async () => Promise.resolve(['93.184.216.34']));
	await permit(at('10.1.2.3'), { ...no, allowHosts: ['10.1.2.3'] });
	assert.equal(['8.8.8.8', '2606:4700::1111', '172.32.0.1'].filter(isPrivate), []);
});

const installed: Files = {
	'prunec.yaml': '',
	'r.prune': use('npm:@acme/recipes/lite.prune'),
	'node_modules/@acme/recipes/package.json': '{"name":"@acme/recipes","version":"1.2.0"}',
	'node_modules/@acme/recipes/lite.prune': use('./parts/base.prune'),
	'node_modules/@acme/recipes/parts/base.prune': step,
};

test('locks a file of a package that is installed, at its version', async () => {
	const ours = folderOf(installed);
	await add(ours);
	assert.equal(lockOf(ours), {
		'npm:@acme/recipes': {
			version: '1.2.0',
			files: { 'lite.prune': hashOf(use('./parts/base.prune')), 'parts/base.prune': hashOf(step) },
		},
	});
	rmSync(join(ours, 'node_modules'), { recursive: true });
	assert.equal(codesAt(ours), []);
});

test('a package that changed under its version is refused', async () => {
	const ours = folderOf(installed);
	await add(ours);
	rmSync(join(ours, '.prunec'), { recursive: true });
	writeFileSync(join(ours, 'node_modules/@acme/recipes/parts/base.prune'), 'prune heads 99%\n');
	assert.is(await codeOf(add(ours, { locked: true, keepUnused: false })), 'import/changed');
	assert.is(await codeOf(add(ours)), 'import/changed');
});

test('links out of an installed package are refused', async () => {
	const ours = folderOf({ ...installed, 'secret.prune': step });
	rmSync(join(ours, 'node_modules/@acme/recipes/parts/base.prune'));
	symlinkSync(join(ours, 'secret.prune'), join(ours, 'node_modules/@acme/recipes/parts/base.prune'));
	assert.is(await codeOf(add(ours)), 'import/outside');
});

test('a broken recipe is not locked', async () => {
	const ours = folderOf({ ...installed, 'node_modules/@acme/recipes/parts/base.prune': 'prune heads by' });
	assert.is(await codeOf(add(ours)), 'parse/expected');
	assert.not.ok(existsSync(join(ours, 'prune.lock')));
});

/** A registry with one package, as the npm client asks for it. */
async function registry(tarball: Buffer): Promise<Server> {
	const server = createServer((request, response) => {
		const { port } = server.address() as AddressInfo;
		if (request.url?.endsWith('.tgz') === true) return response.end(tarball);
		const dist = {
			tarball: `http://127.0.0.1:${port}/acme-recipes-2.0.0.tgz`,
			integrity: `sha512-${createHash('sha512').update(tarball).digest('base64')}`,
		};
		const version = { name: '@acme/recipes', version: '2.0.0', scripts: { prepack: 'exit 1' }, dist };
		response.setHeader('content-type', 'application/json');
		return response.end(
			JSON.stringify({
				name: '@acme/recipes',
				'dist-tags': { latest: '2.0.0' },
				versions: { '2.0.0': version },
			}),
		);
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	return server;
}

/** A tarball of a package whose scripts would leave a trace, and with entries that lead elsewhere. */
function tarball(proof: string): Buffer {
	const touch = `touch ${proof}`;
	const scripts = {
		preinstall: touch,
		install: touch,
		postinstall: touch,
		prepare: touch,
		prepack: touch,
		postpack: touch,
	};
	const folder = folderOf({
		'package/package.json': JSON.stringify({ name: '@acme/recipes', version: '2.0.0', scripts }),
		'package/lite.prune': use('./base.prune'),
		'package/base.prune': step,
		'package/link.prune': { link: '/etc/passwd' },
	});
	execFileSync('tar', ['czf', 'out.tgz', 'package'], { cwd: folder });
	return readFileSync(join(folder, 'out.tgz'));
}

test('gets a package that is not installed through the npm client, and runs nothing of it', async () => {
	const proof = join(folderOf({}), 'ran');
	const server = await registry(tarball(proof));
	const { port } = server.address() as AddressInfo;
	const before = process.env['npm_config_registry'];
	const cache = folderOf({});
	Object.assign(process.env, { npm_config_registry: `http://127.0.0.1:${port}/`, npm_config_cache: cache });
	try {
		const ours = folderOf({ 'prunec.yaml': '', 'r.prune': use('npm:@acme/recipes/lite.prune') });
		await add(ours);
		assert.equal(lockOf(ours)['npm:@acme/recipes'], {
			version: '2.0.0',
			files: { 'base.prune': hashOf(step), 'lite.prune': hashOf(use('./base.prune')) },
		});
		const link = folderOf({ 'prunec.yaml': '', 'r.prune': use('npm:@acme/recipes/link.prune') });
		assert.is(await codeOf(add(link)), 'import/not-found');
		const absent = folderOf({ 'prunec.yaml': '', 'r.prune': use('npm:@acme/recipes@3.0.0/lite.prune') });
		assert.is(await codeOf(add(absent)), 'import/fetch-failed');
		assert.not.ok(existsSync(proof));
		assert.equal(readdirSync(ours).toSorted(), ['.prunec', 'prune.lock', 'prunec.yaml', 'r.prune']);
	} finally {
		server.close();
		delete process.env['npm_config_cache'];
		if (before === undefined) delete process.env['npm_config_registry'];
		else process.env['npm_config_registry'] = before;
	}
});

test.run();
