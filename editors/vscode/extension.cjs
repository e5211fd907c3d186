/** Starts `prunec lsp` for recipes, and ends it with the window. Plain JavaScript: nothing is built. */
'use strict';
const { existsSync } = require('node:fs');
const { join } = require('node:path');
const { workspace } = require('vscode');
const { LanguageClient, TransportKind } = require('vscode-languageclient/node');

/** How prunec is started: as set, else from node_modules of a folder of the workspace, else from the path. */
function serverOf(folders, set) {
	if (set !== '') return { command: set, args: ['lsp'] };
	for (const { uri } of folders) {
		const script = join(uri.fsPath, 'node_modules', 'prunec', 'dist', 'prunec.cjs');
		if (existsSync(script))
			return {
				command: process.execPath,
				args: [script, 'lsp'],
				options: { env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' } },
			};
	}
	return {
		command: process.platform === 'win32' ? 'prunec.cmd' : 'prunec',
		args: ['lsp'],
		options: { shell: process.platform === 'win32' },
	};
}

let client;

exports.activate = async function activate() {
	const set = workspace.getConfiguration('prunec').get('command', '');
	const server = { ...serverOf(workspace.workspaceFolders ?? [], set), transport: TransportKind.stdio };
	client = new LanguageClient('prunec', 'prunec', server, {
		documentSelector: [{ language: 'prune' }],
	});
	await client.start();
};

exports.deactivate = async function deactivate() {
	await client?.stop();
};
