/** The language server: requests of the protocol, answered from what is known of a recipe. */
import { type Readable, type Writable } from 'node:stream';
import {
	createConnection,
	ErrorCodes,
	ResponseError,
	TextDocuments,
	TextDocumentSyncKind,
	type Connection,
	type InitializeResult,
	type Position,
	type TextEdit,
	type WorkspaceEdit,
} from 'vscode-languageserver/node';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { formatRecipe } from '../parser/print.ts';
import { version } from '../version.ts';
import { analyse, pathOf, type Analysis } from './analysis.ts';
import { completionsAt } from './completion.ts';
import { completionItems, diagnosticsOf, locationOf, mendsOf, rangeIn, semanticTokens } from './convert.ts';
import { hoverAt } from './hover.ts';
import { Models } from './models.ts';
import { definitionAt, refusedName, renamableAt } from './navigation.ts';
import { kinds } from './tokens.ts';

const abilities: InitializeResult = {
	serverInfo: { name: 'prunec', version: version() },
	capabilities: {
		textDocumentSync: TextDocumentSyncKind.Incremental,
		completionProvider: { triggerCharacters: ['$', ' ', ','] },
		hoverProvider: true,
		definitionProvider: true,
		renameProvider: { prepareProvider: true },
		documentFormattingProvider: true,
		codeActionProvider: { codeActionKinds: ['quickfix'] },
		semanticTokensProvider: { legend: { tokenTypes: [...kinds], tokenModifiers: [] }, full: true },
	},
};

/** Serves one client until it leaves. */
export function serve(input: Readable, output: Writable): void {
	const connection = createConnection(input, output);
	const server = new Server(connection);
	server.listen();
}

type At = { readonly textDocument: { readonly uri: string }; readonly position: Position };

class Server {
	private readonly documents = new TextDocuments(TextDocument);
	private readonly analyses = new Map<string, { readonly version: number; readonly analysis: Analysis }>();
	private readonly models = new Models();
	private readonly connection: Connection;

	constructor(connection: Connection) {
		this.connection = connection;
	}

	listen(): void {
		const { connection, documents } = this;
		connection.onInitialize(() => abilities);
		connection.onShutdown(() => this.models.close());
		documents.onDidChangeContent(({ document }) => this.tell(document));
		// A file that others import may have changed.
		documents.onDidSave(() => {
			this.analyses.clear();
			for (const document of documents.all()) this.tell(document);
		});
		documents.onDidClose(({ document: { uri } }) => {
			this.analyses.delete(uri);
			void connection.sendDiagnostics({ uri, diagnostics: [] });
		});
		this.answerWords();
		this.answerPlaces();
		documents.listen(connection);
		connection.listen();
	}

	private answerWords(): void {
		const { connection } = this;
		connection.onCompletion((request) => {
			const { analysis, offset } = this.at(request);
			const layers = (): readonly number[] => this.models.layerCounts(analysis);
			return completionItems(completionsAt(analysis, offset, layers), analysis.text, offset);
		});
		connection.onHover(async (request) => {
			const { analysis, offset } = this.at(request);
			const found = await hoverAt(analysis, offset, this.models);
			if (found === undefined) return null;
			const range = rangeIn(analysis.text, found.span);
			return { contents: { kind: 'markdown', value: found.markdown }, range };
		});
		connection.onCodeAction(({ textDocument: { uri }, range }) => mendsOf(this.of(uri), uri, range));
		connection.onDocumentFormatting(({ textDocument: { uri } }) => formatted(this.of(uri)));
		connection.languages.semanticTokens.on(({ textDocument: { uri } }) => semanticTokens(this.of(uri)));
	}

	private answerPlaces(): void {
		const { connection } = this;
		connection.onDefinition((request) => {
			const { analysis, offset, uri } = this.at(request);
			const span = definitionAt(analysis, offset);
			return (span && locationOf(span, uri, analysis)) ?? null;
		});
		connection.onPrepareRename((request) => {
			const { analysis, offset } = this.at(request);
			const found = renamableAt(analysis, offset);
			return found === undefined
				? null
				: { range: rangeIn(analysis.text, found.at), placeholder: found.name };
		});
		connection.onRenameRequest(({ newName, ...request }) => this.renamed(request, newName));
	}

	private renamed(request: At, newName: string): WorkspaceEdit {
		const { analysis, offset, uri } = this.at(request);
		const found = renamableAt(analysis, offset);
		const refused =
			found === undefined
				? 'only parameters that this recipe declares can be renamed'
				: refusedName(newName, found, analysis);
		if (refused !== undefined) throw new ResponseError(ErrorCodes.InvalidRequest, refused);
		const places = found?.places ?? [];
		return {
			changes: { [uri]: places.map((span) => ({ range: rangeIn(analysis.text, span), newText: newName })) },
		};
	}

	private tell(document: TextDocument): void {
		const { uri, version: at } = document;
		const diagnostics = diagnosticsOf(this.of(uri), uri);
		void this.connection.sendDiagnostics({ uri, version: at, diagnostics });
	}

	private at({ textDocument: { uri }, position }: At): { analysis: Analysis; offset: number; uri: string } {
		const offset = this.documents.get(uri)?.offsetAt(position) ?? 0;
		return { analysis: this.of(uri), offset, uri };
	}

	/** The recipe as it stands; a text that is not open is empty. */
	private of(uri: string): Analysis {
		const document = this.documents.get(uri);
		const known = this.analyses.get(uri);
		if (known !== undefined && known.version === document?.version) return known.analysis;
		const analysis = analyse(document?.getText() ?? '', pathOf(uri));
		if (document !== undefined) this.analyses.set(uri, { version: document.version, analysis });
		return analysis;
	}
}

/** One edit of the whole text; none where it has mistakes or is in canonical form already. */
function formatted({ text }: Analysis): TextEdit[] {
	const { text: newText } = formatRecipe(text);
	return newText === text ? [] : [{ range: rangeIn(text, { start: 0, end: text.length }), newText }];
}
