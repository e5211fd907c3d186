/** YAML against a schema, with every mistake at its place in the text. */
import { Ajv, type ErrorObject } from 'ajv';
import { isNode, LineCounter, parseDocument, type Document } from 'yaml';
import { type Diagnostic, type Span } from '../diagnostic.ts';
import { nearest } from '../messages/nearest.ts';
import { notYaml, yamlMismatch } from '../messages/project.ts';

export type ReadYaml = { readonly value?: unknown; readonly diagnostics: readonly Diagnostic[] };

/** Reads YAML 1.2 without tags, aliases counted: a short text cannot become a large value. */
export function readYaml(text: string, schema: object): ReadYaml {
	const document = parseDocument(text, {
		lineCounter: new LineCounter(),
		prettyErrors: false,
		schema: 'core',
		strict: true,
	});
	const broken = [...document.errors, ...document.warnings].map(({ message, pos: [start, end] }) =>
		notYaml({ reason: message }, { span: { start, end: Math.max(start + 1, end) } }),
	);
	if (broken.length > 0) return { diagnostics: broken };
	let value: unknown;
	try {
		value = document.toJS({ maxAliasCount: 100 }) ?? {};
	} catch (problem) {
		return { diagnostics: [notYaml({ reason: (problem as Error).message }, { span: { start: 0, end: 1 } })] };
	}
	const validate = new Ajv({
		strict: true,
		strictRequired: false,
		allowUnionTypes: true,
		allErrors: true,
		verbose: true,
	}).compile(schema);
	if (validate(value)) return { value, diagnostics: [] };
	const causes = (validate.errors ?? []).filter(
		({ keyword }) => keyword !== 'oneOf' || (validate.errors ?? []).length === 1,
	);
	return { diagnostics: causes.map((error) => complaint(error, document)) };
}

function complaint(
	{ instancePath, message = '', params, parentSchema }: ErrorObject,
	document: Document,
): Diagnostic {
	const path = instancePath
		.split('/')
		.slice(1)
		.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
	const extra = params['additionalProperty'] as string | undefined;
	const at = path.length === 0 ? 'the file' : `\`${path.join('.')}\``;
	if (extra === undefined)
		return yamlMismatch({ problem: `${at} ${message}`, hint: undefined }, { span: spanAt(document, path) });
	const known = Object.keys((parentSchema as { properties?: object } | undefined)?.properties ?? {});
	const near = nearest(extra, known);
	const hint =
		near === undefined ? `its fields are ${known.join(', ')}` : `\`${near}\` is the nearest spelling`;
	return yamlMismatch(
		{ problem: `${at} has no field \`${extra}\``, hint },
		{ span: spanAt(document, [...path, extra]) },
	);
}

/** Of the value at a path, or of the innermost one that is there. */
function spanAt(document: Document, path: readonly string[]): Span {
	for (let length = path.length; length > 0; length--) {
		const node: unknown = document.getIn(path.slice(0, length).map(index), true);
		if (isNode(node) && node.range)
			return { start: node.range[0], end: Math.max(node.range[0] + 1, node.range[1]) };
	}
	return { start: 0, end: 1 };
}

const index = (part: string): string | number => (/^\d+$/.test(part) ? Number(part) : part);
