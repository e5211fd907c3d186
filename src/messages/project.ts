/** Messages about repositories of recipes: prunec.yaml, tests, the index. */
import { defineDiagnostic } from '../diagnostic.ts';

export const notYaml = defineDiagnostic({
	code: 'project/not-yaml',
	severity: 'error',
	explain: '`prunec.yaml` and `<recipe>.test.yaml` are YAML 1.2.',
	message: ({ reason }: { reason: string }) => `this is no YAML: ${reason}`,
});
export const yamlMismatch = defineDiagnostic({
	code: 'project/schema',
	severity: 'error',
	explain:
		'The fields of these files are those of grammar/project.schema.json and grammar/recipe-test.schema.json.',
	message: ({ problem }: { problem: string; hint: string | undefined }) => problem,
	hint: ({ hint }) => hint,
});
export const noProject = defineDiagnostic({
	code: 'project/none',
	severity: 'error',
	explain:
		'A repository of recipes has a `prunec.yaml` in its top folder, which names the models that its tests use.',
	message: ({ folder }: { folder: string }) => `there is no prunec.yaml in ${folder}`,
	hint: () => 'name the folder that has one: `prunec test recipes`',
});
export const noTests = defineDiagnostic({
	code: 'project/no-tests',
	severity: 'error',
	explain: 'A test of `lite.prune` is `lite.test.yaml` beside it.',
	message: ({ folder }: { folder: string }) => `no recipe below ${folder} has a test`,
});
export const noRecipe = defineDiagnostic({
	code: 'project/no-recipe',
	severity: 'error',
	explain: 'A test of `lite.prune` is `lite.test.yaml` beside it.',
	message: ({ path }: { path: string }) => `there is no recipe ${path}`,
});
export const unknownModel = defineDiagnostic({
	code: 'project/unknown-model',
	severity: 'error',
	explain: 'Tests name models of `prunec.yaml`.',
	message: ({ name }: { name: string; known: readonly string[] }) => `prunec.yaml has no model \`${name}\``,
	hint: ({ known }) => (known.length === 0 ? 'it names none' : `it has ${known.join(', ')}`),
});
export const modelMissing = defineDiagnostic({
	code: 'project/model-missing',
	severity: 'error',
	explain: 'Models of tests come from packages that are installed (`npm:`), or are files of the repository.',
	message: ({ name, why }: { name: string; why: string }) => `the model \`${name}\` cannot be used: ${why}`,
});
export const indexStale = defineDiagnostic({
	code: 'project/index-stale',
	severity: 'error',
	explain: '`prunec index` writes index.json and the table in README.md from the recipes.',
	message: ({ files }: { files: readonly string[] }) =>
		`${files.join(' and ')} ${files.length === 1 ? 'does' : 'do'} not say what the recipes say`,
	hint: () => 'prunec index',
});
