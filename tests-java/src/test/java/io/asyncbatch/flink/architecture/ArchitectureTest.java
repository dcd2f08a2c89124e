package io.asyncbatch.flink.architecture;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackages;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;
import org.apache.flink.annotation.PublicEvolving;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The rooms of the project and the doors between them. */
class ArchitectureTest {

    private static final String ROOT = "io.asyncbatch.flink";
    private static final String TESTS_OF_THE_RULES = ROOT + ".architecture..";
    private static final String GENERATED = ROOT + ".proto..";

    private static JavaClasses production;
    private static JavaClasses everything;

    @BeforeAll
    static void readClasses() {
        production =
                new ClassFileImporter()
                        .withImportOption(new ImportOption.DoNotIncludeTests())
                        .importPackages(ROOT);
        everything = new ClassFileImporter().importPackages(ROOT);
        assertThat(production.contain(ROOT + ".operator.AsyncBatchWaitOperator")).isTrue();
        assertThat(everything.contain(ArchitectureTest.class)).isTrue();
    }

    /** Names what it may know: a room that is new is none of it. */
    @Test
    void operatorKnowsNothingOfWhatComputesBatches() {
        noClasses()
                .that()
                .resideInAnyPackage(ROOT + ".operator..", ROOT + ".metrics..", ROOT + ".invoker..")
                .should()
                .dependOnClassesThat(
                        resideInAPackage(ROOT + "..")
                                .and(
                                        resideOutsideOfPackages(
                                                ROOT,
                                                ROOT + ".operator..",
                                                ROOT + ".metrics..",
                                                ROOT + ".invoker..",
                                                ROOT + ".limit..")))
                .orShould()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "org.apache.arrow..",
                        "org.apache.beam..",
                        "org.apache.flink.python..",
                        "com.google.protobuf..")
                .because(
                        "the operator is tested without a worker, and serves functions in Java "
                                + "and model servers too: what Python needs belongs behind BatchInvoker")
                .check(production);
    }

    /** A model server is called by a function like any other; only its channel speaks gRPC. */
    @Test
    void sidecarIsAFunctionAndKeepsItsProtocolToItself() {
        noClasses()
                .that()
                .resideOutsideOfPackage(ROOT + ".sidecar.channel..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("io.grpc..", "io.netty..", ROOT + ".proto.inference..")
                .allowEmptyShould(false)
                .because("another protocol, or another version of gRPC, must cost one room only")
                .check(
                        production.that(
                                resideOutsideOfPackages(GENERATED, "io.grpc..", "io.netty..")));
        noClasses()
                .that()
                .resideInAPackage(ROOT + ".sidecar..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        ROOT + ".operator..",
                        ROOT + ".graph..",
                        ROOT + ".function..",
                        ROOT + ".arrow..")
                .because(
                        "a model server is called by a function like any other, so the "
                                + "operator needs to know nothing of it")
                .check(production);
    }

    @Test
    void seamDependsOnNothingOfOurs() {
        noClasses()
                .that()
                .resideInAPackage(ROOT + ".invoker..")
                .should()
                .dependOnClassesThat(
                        resideInAPackage(ROOT + "..")
                                .and(resideOutsideOfPackages(ROOT + ".invoker..")))
                .because("both sides of the seam build on it, and what it knew they would know")
                .check(production);
    }

    /** Time is passed in, and who is limited is none of its business. */
    @Test
    void limitsAreArithmetic() {
        noClasses()
                .that()
                .resideInAPackage(ROOT + ".limit..")
                .should()
                .dependOnClassesThat(
                        resideInAPackage(ROOT + "..")
                                .and(resideOutsideOfPackages(ROOT + ".limit..")))
                .orShould()
                .callMethod(System.class, "nanoTime")
                .orShould()
                .callMethod(System.class, "currentTimeMillis")
                .because(
                        "limits are tried in virtual time, against simulated backends: time "
                                + "and callers come from outside")
                .check(production);
    }

    /** What a batch is made of: the queue and the state know the batch, never the reverse order. */
    @Test
    void partsOfTheOperatorDoNotKnowTheOperator() {
        noClasses()
                .that()
                .resideInAnyPackage(
                        ROOT + ".operator.buffer..",
                        ROOT + ".operator.inflight..",
                        ROOT + ".operator.queue..",
                        ROOT + ".operator.state..")
                .should()
                .dependOnClassesThat()
                .haveNameMatching(".*\\.AsyncBatchWaitOperator(Factory)?")
                .because("the parts are tested alone, and tables use them without the operator")
                .check(production);
        noClasses()
                .that()
                .resideInAPackage(ROOT + ".operator.buffer..")
                .should()
                .dependOnClassesThat(
                        resideInAnyPackage(
                                ROOT + ".operator.inflight..", ROOT + ".operator.queue.."))
                .because(
                        "rows become a batch before anything is called: how they do must not "
                                + "depend on what becomes of them")
                .check(production);
        noClasses()
                .that()
                .resideInAPackage(ROOT + ".operator.inflight..")
                .should()
                .dependOnClassesThat(resideInAnyPackage(ROOT + ".operator.queue.."))
                .because("a batch is called for alike in whatever order results leave")
                .check(production);
    }

    /** The operator speaks to a provider through a seam, and only the seam's other side to HTTP. */
    @Test
    void onlyTheClientOfABatchApiKnowsHttp() {
        noClasses()
                .that()
                .resideInAPackage(ROOT + ".batchapi..")
                .and()
                .resideOutsideOfPackage(ROOT + ".batchapi.client..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("java.net.http..")
                .because(
                        "the operator is tested without a provider: HTTP belongs to the client "
                                + "of the API")
                .check(production);
        noClasses()
                .that()
                .resideInAPackage(ROOT + ".batchapi.client..")
                .should()
                .dependOnClassesThat(
                        resideInAnyPackage(
                                ROOT + ".batchapi.job..",
                                ROOT + ".batchapi.operator..",
                                ROOT + ".batchapi.state.."))
                .because(
                        "the client is called by the operator and must not know what becomes "
                                + "of its answers")
                .check(production);
    }

    /** Tables stand on the operator's parts and on what computes batches, never the reverse. */
    @Test
    void onlyTheGraphKnowsTables() {
        noClasses()
                .that()
                .resideInAPackage(ROOT + "..")
                .and()
                .resideOutsideOfPackages(ROOT + ".table..", ROOT + ".graph..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(ROOT + ".table..", "org.apache.flink.table.api..")
                .because("jobs without tables must not load Flink's table classes")
                .check(production);
        noClasses()
                .that()
                .resideInAPackage(ROOT + ".table.gather..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        ROOT + ".table.provider..",
                        ROOT + ".table.backend..",
                        ROOT + ".worker..",
                        ROOT + ".sidecar..")
                .because(
                        "rows are gathered alike whatever computes them: that belongs to the "
                                + "backends")
                .check(production);
        noClasses()
                .that()
                .resideInAPackage(ROOT + ".table.backend..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(ROOT + ".table.provider..", ROOT + ".table.gather..")
                .because(
                        "a backend is found by its name, and knows neither who names it nor "
                                + "who gathers rows")
                .check(production);
    }

    @Test
    void publicClassesSayForWhom() {
        classes()
                .that()
                .arePublic()
                .and()
                .areTopLevelClasses()
                .and()
                .resideOutsideOfPackage(GENERATED)
                .should()
                .beAnnotatedWith(Internal.class)
                .orShould()
                .beAnnotatedWith(PublicEvolving.class)
                .because(
                        "users build on what is PublicEvolving, and all else may change from "
                                + "one version to the next")
                .check(production);
    }

    /** Looks at the sources: the compiler writes no class for a package-info that is a comment. */
    @Test
    void everyPackageSaysWhatLivesThere() throws IOException {
        Path root = Path.of("").toAbsolutePath().getParent();
        assertThat(root.resolve("tests-java")).isDirectory();
        try (Stream<Path> files = Files.walk(root)) {
            List<Path> sources =
                    files.map(root::relativize)
                            .filter(file -> file.toString().endsWith(".java"))
                            .filter(ArchitectureTest::isProductionOrThisModule)
                            .toList();
            Set<String> described =
                    sources.stream()
                            .filter(file -> file.endsWith("package-info.java"))
                            .map(ArchitectureTest::packageOf)
                            .collect(Collectors.toSet());
            assertThat(described).contains("io/asyncbatch/flink/operator");
            assertThat(sources).extracting(ArchitectureTest::packageOf).isSubsetOf(described);
        }
    }

    private static String packageOf(Path source) {
        return source.getParent().toString().replaceFirst(".*/java/", "");
    }

    private static boolean isProductionOrThisModule(Path source) {
        String path = source.toString();
        return !path.contains("target/")
                && (path.contains("src/main/java") || path.startsWith("tests-java"));
    }

    @Test
    void nothingSleeps() {
        noClasses()
                .that()
                .resideOutsideOfPackage(TESTS_OF_THE_RULES)
                .should()
                .callMethod(Thread.class, "sleep", long.class)
                .orShould()
                .callMethod(Thread.class, "sleep", long.class, int.class)
                .orShould()
                .callMethod(TimeUnit.class, "sleep", long.class)
                .because(
                        "a sleep is too short on a slow machine and too long on a fast one: "
                                + "wait for the condition, or use a clock that is passed in")
                .check(everything);
    }
}
