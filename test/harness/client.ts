/** A client of the language server: the bundle as a process, spoken to over its standard input and output. */
import { spawn } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import {
	createMessageConnection,
	StreamMessageReader,
	StreamMessageWriter,
	type MessageConnection,
} from 'vscode-jsonrpc/node';
import { program } from './process.ts';

type Place = { readonly line: number; readonly character: number };
export type Range = { readonly start: Place; readonly end: Place };
export type Problem = {
	readonly range: Range;
	readonly severity: number;
	readonly code: string;
	readonly message: string;
	readonly relatedInformation?: readonly {
		readonly location: { readonly uri: string; readonly range: Range };
	}[];
};

/** One open recipe of a client. The cursor stands where the text has `|`, which is taken out. */
export class Client {
	private readonly connection: MessageConnection;
	private readonly ended: Promise<number | null>;
	private readonly waiting = new Map<string, (problems: readonly Problem[]) => void>();
	private readonly folder: string;
	private count = 0;

	/** Starts a server in a folder. */
	constructor(folder: string) {
		this.folder = folder;
		const child = spawn(process.execPath, [program, 'lsp', '--stdio'], {
			cwd: folder,
			stdio: ['pipe', 'pipe', 'inherit'],
		});
		this.ended = new Promise((resolve) => child.on('close', resolve));
		this.connection = createMessageConnection(
			new StreamMessageReader(child.stdout),
			new StreamMessageWriter(child.stdin),
		);
		this.connection.onNotification(
			'textDocument/publishDiagnostics',
			(told: { uri: string; diagnostics: Problem[] }) => {
				this.waiting.get(told.uri)?.(told.diagnostics);
				this.waiting.delete(told.uri);
			},
		);
		this.connection.listen();
	}

	request<T>(method: string, params?: unknown): Promise<T> {
		return this.connection.sendRequest(method, params);
	}

	async start(): Promise<{ readonly capabilities: Readonly<Record<string, unknown>> }> {
		const answer = await this.request<{ capabilities: Record<string, unknown> }>('initialize', {
			...{ processId: process.pid, rootUri: pathToFileURL(this.folder).href, capabilities: {} },
		});
		await this.connection.sendNotification('initialized', {});
		return answer;
	}

	uri(name: string): string {
		return pathToFileURL(join(this.folder, name)).href;
	}

	/** Opens a text as a new file, and waits for what is said of it. */
	async open(marked: string, name = `r${this.count++}.prune`): Promise<Opened> {
		const text = marked.replace('|', '');
		const uri = this.uri(name);
		const told = this.told(uri);
		await this.connection.sendNotification('textDocument/didOpen', {
			textDocument: { uri, languageId: 'prune', version: 1, text },
		});
		const before = marked.slice(0, Math.max(0, marked.indexOf('|'))).split('\n');
		const position = { line: before.length - 1, character: before.at(-1)?.length ?? 0 };
		return { uri, text, problems: await told, at: { textDocument: { uri }, position } };
	}

	/** Types at a place, and waits for what is said then. */
	async type({ uri }: Opened, range: Range, text: string, version: number): Promise<readonly Problem[]> {
		const told = this.told(uri);
		await this.connection.sendNotification('textDocument/didChange', {
			...{ textDocument: { uri, version }, contentChanges: [{ range, text }] },
		});
		return told;
	}

	private told(uri: string): Promise<readonly Problem[]> {
		return new Promise((resolve) => this.waiting.set(uri, resolve));
	}

	/** Takes leave as the protocol asks. @returns the exit status. */
	async stop(): Promise<number | null> {
		await this.request('shutdown');
		await this.connection.sendNotification('exit');
		const status = await this.ended;
		this.connection.dispose();
		return status;
	}
}

export type Opened = {
	readonly uri: string;
	readonly text: string;
	readonly problems: readonly Problem[];
	/** The cursor, as requests take it. */
	readonly at: { readonly textDocument: { readonly uri: string }; readonly position: Place };
};

type Edit = { readonly range: Range; readonly newText: string };

/** A text with edits carried out, as an editor does. */
export function edited(text: string, edits: readonly Edit[]): string {
	const lines = text.split('\n');
	const offset = ({ line, character }: Place): number =>
		lines.slice(0, line).reduce((sum, one) => sum + one.length + 1, 0) + character;
	return edits
		.toSorted((a, b) => offset(b.range.start) - offset(a.range.start))
		.reduce(
			(now, { range, newText }) => now.slice(0, offset(range.start)) + newText + now.slice(offset(range.end)),
			text,
		);
}
