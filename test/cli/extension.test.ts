/** The VS Code extension: what its manifest names is there, and it starts the language server. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('VS Code extension');
const root = 'editors/vscode';
const read = (name: string): string => readFileSync(join(root, name), 'utf8');
type Manifest = {
	readonly main: string;
	readonly contributes: {
		readonly languages: readonly { readonly id: string; readonly configuration: string }[];
		readonly grammars: readonly {
			readonly language: string;
			readonly scopeName: string;
			readonly path: string;
		}[];
		readonly configuration: { readonly properties: Readonly<Record<string, unknown>> };
	};
};
const manifest = JSON.parse(read('package.json')) as Manifest;

test('every file that the manifest names is there, and says the same of itself', () => {
	const { languages, grammars } = manifest.contributes;
	for (const file of [
		manifest.main,
		...languages.map((one) => one.configuration),
		...grammars.map(({ path }) => path),
	])
		assert.ok(existsSync(join(root, file)), file);
	const { scopeName } = JSON.parse(read(grammars[0]?.path ?? '')) as { scopeName: string };
	assert.is(scopeName, grammars[0]?.scopeName);
	assert.equal(
		languages.map(({ id }) => id),
		grammars.map(({ language }) => language),
	);
	JSON.parse(read(languages[0]?.configuration ?? ''));
});

type Started = { readonly command: string; readonly args: readonly string[]; readonly transport: number };

/** Runs the extension with the editor's two modules played by objects; gives what it starts. */
async function activated(folders: readonly string[], set: string): Promise<Started> {
	let started: Started | undefined;
	let isStopped = false;
	class LanguageClient {
		readonly server: Started;
		constructor(
			_id: string,
			_name: string,
			server: Started,
			{ documentSelector }: { documentSelector: unknown },
		) {
			assert.equal(JSON.parse(JSON.stringify(documentSelector)), [{ language: 'prune' }]);
			this.server = server;
		}
		start(): Promise<void> {
			started = this.server;
			return Promise.resolve();
		}
		stop(): Promise<void> {
			isStopped = true;
			return Promise.resolve();
		}
	}
	const modules: Readonly<Record<string, unknown>> = {
		'node:fs': await import('node:fs'),
		'node:path': await import('node:path'),
		vscode: {
			workspace: {
				workspaceFolders: folders.map((fsPath) => ({ uri: { fsPath } })),
				getConfiguration: (section: string) => ({
					get: (key: string) => (section === 'prunec' && key === 'command' ? set : undefined),
				}),
			},
		},
		'vscode-languageclient/node': { LanguageClient, TransportKind: { stdio: 0 } },
	};
	const exports: { activate?: () => Promise<void>; deactivate?: () => Promise<void> } = {};
	runInNewContext(read(manifest.main), { require: (name: string) => modules[name], exports, process });
	await exports.activate?.();
	await exports.deactivate?.();
	assert.ok(isStopped);
	assert.ok(started);
	return started;
}

test('starts the prunec of the workspace, the one that is set, or the one on the path', async () => {
	const folder = mkdtempSync(join(tmpdir(), 'prunec-vscode-'));
	const script = join(folder, 'node_modules/prunec/dist/prunec.cjs');
	try {
		const onPath = await activated([folder], '');
		assert.match(onPath.command, /^prunec(\.cmd)?$/);
		mkdirSync(join(folder, 'node_modules/prunec/dist'), { recursive: true });
		writeFileSync(script, '');
		const own = await activated([folder], '');
		assert.equal([own.command, [...own.args]], [process.execPath, [script, 'lsp']]);
		const set = await activated([folder], '/opt/prunec');
		assert.equal([set.command, [...set.args]], ['/opt/prunec', ['lsp']]);
	} finally {
		rmSync(folder, { recursive: true });
	}
});

test.run();
