/** Diagnostics for machines that show them beside code: GitHub's workflow commands and SARIF. */
import { type Severity } from '../diagnostic.ts';
import { catalogue } from '../messages/catalogue.ts';
import { type DiagnosticJson } from './diagnostics.ts';

const commands: Readonly<Record<Severity, string>> = { error: 'error', warning: 'warning', note: 'notice' };
const levels: Readonly<Record<Severity, string>> = { error: 'error', warning: 'warning', note: 'note' };

/** One workflow command a diagnostic (docs.github.com, workflow commands: setting an error message). */
export function githubText(list: readonly DiagnosticJson[]): string {
	return list
		.map((one) => {
			const place: [string, string | number | undefined][] = [
				['file', one.file],
				['line', one.start?.line],
				['col', one.start?.column],
				['endLine', one.end?.line],
				['endColumn', one.end?.column],
				['title', one.code],
			];
			const properties = place
				.flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${escaped(String(value), true)}`]))
				.join(',');
			const hint = one.hint === undefined ? '' : ` (${one.hint})`;
			return `::${commands[one.severity]} ${properties}::${escaped(one.message + hint, false)}`;
		})
		.join('\n');
}

/** What would end a command or a property of it. */
function escaped(text: string, property: boolean): string {
	const plain = text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
	return property ? plain.replaceAll(':', '%3A').replaceAll(',', '%2C') : plain;
}

/** A SARIF 2.1.0 log (OASIS standard) with one run. Columns count UTF-16 units. */
export function sarif(list: readonly DiagnosticJson[], version: string): object {
	const codes = [...new Set(list.map(({ code }) => code))].toSorted();
	const rules = codes.map((id) => {
		const entry = catalogue.find(({ code }) => code === id);
		return { id, ...(entry && { fullDescription: { text: entry.explain } }) };
	});
	return {
		$schema: 'https://json.schemastore.org/sarif-2.1.0.json',
		version: '2.1.0',
		runs: [
			{
				tool: { driver: { name: 'prunec', version, rules } },
				columnKind: 'utf16CodeUnits',
				results: list.map((one) => resultOf(one, codes.indexOf(one.code))),
			},
		],
	};
}

function resultOf(one: DiagnosticJson, ruleIndex: number): object {
	const { code, severity, message, hint, file, start, end } = one;
	const region = start && {
		region: {
			...{ startLine: start.line, startColumn: start.column },
			...(end && { endLine: end.line, endColumn: end.column }),
		},
	};
	const uri = file?.replaceAll('\\', '/') ?? 'recipe.prune';
	return {
		...{ ruleId: code, ruleIndex, level: levels[severity] },
		message: { text: hint === undefined ? message : `${message}. ${hint}` },
		...(start && { locations: [{ physicalLocation: { artifactLocation: { uri }, ...region } }] }),
	};
}
